#include "../abi.h"

#define HTTP "wasi:http/types@0.2.12"
#define POLL "wasi:io/poll@0.2.12"
#define STREAMS "wasi:io/streams@0.2.12"
IMPORT(HTTP, "[constructor]fields") u32 new_fields(void);
IMPORT(HTTP, "[method]fields.append")
void append(u32 fields, const char *name, u32, const char *value, u32, u8 *result);
IMPORT(HTTP, "[method]fields.entries") void entries(u32 fields, List *list);
IMPORT(HTTP, "[resource-drop]fields") void drop_fields(u32 fields);
IMPORT(HTTP, "[constructor]outgoing-request") u32 new_request(u32 fields);
IMPORT(HTTP, "[method]outgoing-request.set-method")
u32 set_method(u32 request, u32 method, const char *other, u32 size);
IMPORT(HTTP, "[method]outgoing-request.set-scheme")
u32 set_scheme(u32 request, u32 is_some, u32 scheme, const char *other, u32 size);
IMPORT(HTTP, "[method]outgoing-request.set-authority")
u32 set_authority(u32 request, u32 is_some, const char *authority, u32 size);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query")
u32 set_path(u32 request, u32 is_some, const char *path, u32 size);
IMPORT(HTTP, "[method]outgoing-request.body") void request_body(u32 request, u32 *result);
IMPORT(HTTP, "[method]outgoing-body.write") void body_stream(u32 body, u32 *result);
IMPORT(HTTP, "[static]outgoing-body.finish")
void finish(u32 body, u32 has_trailers, u32 trailers, u64 *result);
IMPORT(HTTP, "[constructor]request-options") u32 new_options(void);
IMPORT(HTTP, "[method]request-options.set-connect-timeout") u32 set_connect(u32, u32 some, u64);
IMPORT(HTTP, "[method]request-options.set-first-byte-timeout") u32 set_first_byte(u32, u32, u64);
IMPORT(HTTP, "[method]request-options.set-between-bytes-timeout") u32 set_between(u32, u32, u64);
IMPORT(HTTP, "[method]future-incoming-response.subscribe") u32 subscribe(u32 future);
IMPORT(HTTP, "[method]incoming-response.status") u32 status(u32 response);
IMPORT(HTTP, "[method]incoming-response.headers") u32 response_headers(u32 response);
IMPORT(HTTP, "[method]incoming-response.consume") void consume(u32 response, u32 *result);
IMPORT(HTTP, "[method]incoming-body.stream") void response_stream(u32 body, u32 *result);
IMPORT(HTTP, "[resource-drop]incoming-body") void drop_body(u32 body);
IMPORT(HTTP, "[resource-drop]incoming-response") void drop_response(u32 response);
IMPORT(HTTP, "[resource-drop]future-incoming-response") void drop_future(u32 future);
IMPORT(POLL, "[method]pollable.block") void block(u32 pollable);
IMPORT(POLL, "[resource-drop]pollable") void drop_pollable(u32 pollable);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "subscribe-duration") u32 after(u64 nanoseconds);
IMPORT(STREAMS, "[method]output-stream.check-write") void check_write(u32 stream, u64 *result);
IMPORT(STREAMS, "[method]output-stream.write")
void write_now(u32 stream, const char *, u32, u32 *result);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void write_all(u32 stream, const char *, u32, u32 *result);
IMPORT(STREAMS, "[resource-drop]output-stream") void drop_output(u32 stream);
IMPORT(STREAMS, "[method]input-stream.blocking-read")
void blocking_read(u32 stream, u64 most, u32 *result);
IMPORT(STREAMS, "[resource-drop]input-stream") void drop_input(u32 stream);
IMPORT("wasi:io/error@0.2.12", "[resource-drop]error") void drop_error(u32 error);

// variant error-code: its payload is 8 bytes in.
typedef struct {
  u8 code;
  u8 has_message __attribute__((aligned(8))); // of internal-error(option<string>), DNS-error
  Text message;
  u64 others;
  u64 more;
} Error;

// option<error-code>
typedef struct { u8 is_some; Error error __attribute__((aligned(8))); } OptionalError;
IMPORT(HTTP, "http-error-code") void error_code_of(u32 error, OptionalError *);

// result<own<future-incoming-response>, error-code>
typedef struct {
  u8 is_error;
  union { u32 future; Error error; } value __attribute__((aligned(8)));
} Handled;
IMPORT("wasi:http/outgoing-handler@0.2.12", "handle")
void handle(u32 request, u32 has_options, u32 options, Handled *handled);

// option<result<result<own<incoming-response>, error-code>>>
typedef struct {
  u8 is_ready;
  u8 is_taken __attribute__((aligned(8)));
  u8 is_error __attribute__((aligned(8)));
  union { u32 response; Error error; } value __attribute__((aligned(8)));
} Received;
IMPORT(HTTP, "[method]future-incoming-response.get") void receive(u32 future, Received *received);

static const char *const METHODS[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                      "CONNECT", "OPTIONS", "TRACE", "PATCH"};
static const char *const CODES[] = {
    "DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable",
    "destination-IP-prohibited", "destination-IP-unroutable", "connection-refused",
    "connection-terminated", "connection-timeout", "connection-read-timeout",
    "connection-write-timeout", "connection-limit-reached", "TLS-protocol-error",
    "TLS-certificate-error", "TLS-alert-received", "HTTP-request-denied",
    "HTTP-request-length-required", "HTTP-request-body-size", "HTTP-request-method-invalid",
    "HTTP-request-URI-invalid", "HTTP-request-URI-too-long", "HTTP-request-header-section-size",
    "HTTP-request-header-size", "HTTP-request-trailer-section-size", "HTTP-request-trailer-size",
    "HTTP-response-incomplete", "HTTP-response-header-section-size", "HTTP-response-header-size",
    "HTTP-response-body-size", "HTTP-response-trailer-section-size", "HTTP-response-trailer-size",
    "HTTP-response-transfer-coding", "HTTP-response-content-coding", "HTTP-response-timeout",
    "HTTP-upgrade-failed", "HTTP-protocol-error", "loop-detected", "configuration-error",
    "internal-error"};

typedef struct { Text name, value; } Header;
typedef struct { u16 status; List headers; Text body; } Reply;

// result<u16, string>, result<u64, string>, result<reply, string>
typedef struct { u8 is_error; union { u16 status; Text text; } value __attribute__((aligned(4))); } Status;
typedef struct { u8 is_error; union { u64 size; Text text; } value __attribute__((aligned(8))); } Size;
typedef struct { u8 is_error; union { Reply reply; Text text; } value __attribute__((aligned(4))); } Replied;

static Text text_of(const char *name) {
  u32 size = 0;
  while (name[size]) size++;
  return (Text){name, size};
}

static int equal(Text a, Text b) {
  if (a.size != b.size) return 0;
  for (u32 i = 0; i < a.size; i++)
    if (a.data[i] != b.data[i]) return 0;
  return 1;
}

static Text error_text(const Error *error) {
  Text text = text_of(CODES[error->code]);
  // DNS-error and internal-error say more.
  if ((error->code == 1 || error->code == LENGTH(CODES) - 1) && error->has_message)
    text = joined(joined(text, TEXT(": ")), error->message);
  return text;
}

// What went wrong with the request that is being made; of size 0 if nothing did.
static Text wrong;
#define FAIL(text) return wrong = (text), 0

static u32 ready(u32 pollable) {
  block(pollable);
  drop_pollable(pollable);
  return 1;
}

typedef struct { Text method, scheme, authority, path; } Line;

static Line line_of(Text method, Text url) {
  Line line = {method, {url.data, 0}, {0, 0}, {0, 0}};
  while (line.scheme.size < url.size && url.data[line.scheme.size] != ':') line.scheme.size++;
  u32 at = line.scheme.size + 3;
  if (at > url.size) at = url.size;
  line.authority.data = url.data + at;
  while (at < url.size && url.data[at] != '/' && url.data[at] != '?') at++, line.authority.size++;
  line.path = (Text){url.data + at, url.size - at};
  return line;
}

// A request that can still be changed; 0 if the runtime takes no such thing.
static u32 build(Line line, List headers) {
  u32 fields = new_fields();
  for (u32 i = 0; i < headers.count; i++) {
    Header *header = (Header *)headers.data + i;
    u8 result[2];
    append(fields, header->name.data, header->name.size, header->value.data, header->value.size, result);
    if (result[0]) FAIL(result[1] == 1 ? TEXT("the header is forbidden") : TEXT("the header is not valid"));
  }
  u32 request = new_request(fields), method = 0;
  while (method < LENGTH(METHODS) && !equal(line.method, text_of(METHODS[method]))) method++;
  if (set_method(request, method, line.method.data, line.method.size)) FAIL(TEXT("the method is not valid"));
  u32 scheme = equal(line.scheme, TEXT("http")) ? 0 : equal(line.scheme, TEXT("https")) ? 1 : 2;
  if (line.scheme.size && set_scheme(request, 1, scheme, line.scheme.data, line.scheme.size))
    FAIL(TEXT("the scheme is not valid"));
  if (line.authority.size && set_authority(request, 1, line.authority.data, line.authority.size))
    FAIL(TEXT("the authority is not valid"));
  if (line.path.size && set_path(request, 1, line.path.data, line.path.size))
    FAIL(TEXT("the path is not valid"));
  return request;
}

// Hands it over; 0 if it is refused.
static u32 hand_over(u32 request, u32 options, u32 *future) {
  static Handled handled;
  handle(request, options != 0, options, &handled);
  if (handled.is_error) FAIL(error_text(&handled.value.error));
  *future = handled.value.future;
  return 1;
}

static u32 response_of(u32 future) {
  ready(subscribe(future));
  static Received received;
  receive(future, &received);
  drop_future(future);
  if (!received.is_ready || received.is_taken) __builtin_trap();
  if (received.is_error) FAIL(error_text(&received.value.error));
  return received.value.response;
}

static Text stream_error(u32 error) {
  static OptionalError code;
  error_code_of(error, &code);
  drop_error(error);
  return code.is_some ? error_text(&code.error) : TEXT("the stream broke");
}

static Text gathered;
static u64 counted;

// Reads the body to its end and gathers it, or only counts; 0 if it broke off.
static u32 read_body(u32 response, u32 keep) {
  u32 result[4];
  consume(response, result);
  u32 body = result[1];
  response_stream(body, result);
  u32 stream = result[1], ok = 1;
  for (gathered.size = 0, counted = 0;;) {
    u32 before = heap_next;
    blocking_read(stream, 65536, result);
    if ((u8)result[0]) {
      if (!(u8)result[1]) wrong = stream_error(result[2]), ok = 0;
      break;
    }
    counted += result[2];
    if (keep) gathered = joined(gathered, (Text){(const char *)result[1], result[2]});
    else heap_next = before;
  }
  drop_input(stream);
  drop_body(body);
  return ok;
}

// Opens the body before the request is handed over, and writes what fits of it.
static u32 begin_body(u32 request, Text text, u32 *body, u32 *written) {
  u32 result[4];
  request_body(request, result);
  *body = result[1];
  body_stream(*body, result);
  u32 stream = result[1];
  u64 room[2];
  check_write(stream, room);
  *written = 0;
  if (!(u8)room[0]) {
    *written = text.size < room[1] ? text.size : (u32)room[1];
    if (*written > 100) *written = 100;
    write_now(stream, text.data, *written, result);
  }
  return stream;
}

static void write_rest(u32 stream, Text text) {
  u32 result[4];
  for (u32 at = 0; at < text.size;) {
    u32 size = text.size - at < 4096 ? text.size - at : 4096;
    write_all(stream, text.data + at, size, result);
    if ((u8)result[0]) {
      if (!(u8)result[1]) drop_error(result[2]);
      break; // the answer, or its error, says more
    }
    at += size;
  }
}

static void end_body(u32 stream, u32 body) {
  static u64 result[6];
  drop_output(stream);
  finish(body, 0, 0, result);
}

// The whole exchange; the response, or 0.
static u32 exchange(Line line, List headers, u32 options, Text text) {
  wrong.size = 0;
  u32 request = build(line, headers), future, stream = 0, body = 0, written = 0;
  if (!request) return 0;
  if (text.size) stream = begin_body(request, text, &body, &written);
  u32 sent = hand_over(request, options, &future);
  if (text.size) {
    if (sent) write_rest(stream, (Text){text.data + written, text.size - written});
    end_body(stream, body);
  }
  return sent ? response_of(future) : 0;
}

static Status *status_of(u32 response) {
  static Status result;
  result.is_error = !response;
  if (!response) return result.value.text = wrong, &result;
  result.value.status = (u16)status(response);
  drop_response(response);
  return &result;
}

static Replied *reply_of(u32 response) {
  static Replied result;
  result.is_error = 1;
  if (!response) return result.value.text = wrong, &result;
  Reply reply = {(u16)status(response), {0, 0}, {0, 0}};
  u32 fields = response_headers(response);
  entries(fields, &reply.headers);
  drop_fields(fields);
  u32 ok = read_body(response, 1);
  drop_response(response);
  if (!ok) return result.value.text = wrong, &result;
  reply.body = gathered;
  result.is_error = 0;
  result.value.reply = reply;
  return &result;
}

EXPORT("get")
Status *get(const char *authority, u32 authority_size, const char *path, u32 path_size, u32 https) {
  Line line = {TEXT("GET"), https ? TEXT("https") : TEXT("http"), {authority, authority_size}, {path, path_size}};
  return status_of(exchange(line, (List){0, 0}, 0, TEXT("")));
}

EXPORT("request")
Replied *request(const char *method, u32 method_size, const char *url, u32 url_size, void *headers,
                 u32 header_count, const char *body, u32 body_size) {
  Line line = line_of((Text){method, method_size}, (Text){url, url_size});
  return reply_of(exchange(line, (List){headers, header_count}, 0, (Text){body, body_size}));
}

EXPORT("limited")
Replied *limited(const char *url, u32 size, u32 connect, u32 first_byte, u32 between) {
  u32 options = new_options();
  if (connect) set_connect(options, 1, connect * 1000000ull);
  if (first_byte) set_first_byte(options, 1, first_byte * 1000000ull);
  if (between) set_between(options, 1, between * 1000000ull);
  return reply_of(exchange(line_of(TEXT("GET"), (Text){url, size}), (List){0, 0}, options, TEXT("")));
}

EXPORT("odd")
Status *odd(const char *method, u32 method_size, const char *scheme, u32 scheme_size,
            const char *authority, u32 authority_size, const char *path, u32 path_size) {
  Line line = {{method, method_size}, {scheme, scheme_size}, {authority, authority_size}, {path, path_size}};
  return status_of(exchange(line, (List){0, 0}, 0, TEXT("")));
}

EXPORT("download")
Size *download(const char *url, u32 size) {
  static Size result;
  u32 response = exchange(line_of(TEXT("GET"), (Text){url, size}), (List){0, 0}, 0, TEXT(""));
  result.is_error = !response || !read_body(response, 0);
  if (result.is_error) result.value.text = wrong;
  else result.value.size = counted;
  return &result;
}

EXPORT("upload")
Status *upload(const char *url, u32 url_size, u64 size) {
  static char piece[4096];
  wrong.size = 0;
  u32 request = build(line_of(TEXT("POST"), (Text){url, url_size}), (List){0, 0}), body, future, none;
  if (!request) return status_of(0);
  u32 stream = begin_body(request, TEXT(""), &body, &none);
  if (!hand_over(request, 0, &future)) return status_of(0);
  u32 result[4];
  while (size) {
    u32 now = size < sizeof piece ? (u32)size : sizeof piece;
    write_all(stream, piece, now, result);
    if ((u8)result[0]) break;
    size -= now;
  }
  end_body(stream, body);
  return status_of(response_of(future));
}

static Text number(u32 value) {
  char *text = allocate(10, 1);
  u32 at = 10;
  do text[--at] = (char)('0' + value % 10);
  while (value /= 10);
  return (Text){text + at, 10 - at};
}

static Text outcome(u32 response) {
  if (!response) return wrong;
  Text text = number(status(response));
  drop_response(response);
  return text;
}

EXPORT("together")
List *together(const char *url, u32 size, u32 count) {
  static List list;
  u32 *futures = allocate(count * 4, 4);
  Text *outcomes = allocate(count * sizeof(Text), 4);
  for (u32 i = 0; i < count; i++) {
    u32 request = build(line_of(TEXT("GET"), (Text){url, size}), (List){0, 0});
    futures[i] = 0;
    if (!request || !hand_over(request, 0, &futures[i])) outcomes[i] = wrong, futures[i] = ~0u;
  }
  for (u32 i = 0; i < count; i++)
    if (futures[i] != ~0u) outcomes[i] = outcome(response_of(futures[i]));
  list = (List){outcomes, count};
  return &list;
}

EXPORT("late")
List *late(const char *method, u32 method_size, const char *url, u32 size, u32 pause) {
  static List list;
  static Text outcomes[2];
  wrong.size = 0;
  Line line = line_of((Text){method, method_size}, (Text){url, size});
  u32 request = build(line, (List){0, 0}), future, result[4];
  request_body(request, result);
  u32 body = result[1];
  body_stream(body, result);
  u32 stream = result[1];
  u32 sent = hand_over(request, 0, &future);
  ready(after(pause * 1000000ull));
  u64 room[2];
  check_write(stream, room);
  outcomes[0] = (u8)room[0] ? TEXT("lost") : TEXT("open");
  if (!(u8)room[0]) {
    write_now(stream, url, 0, result);
    if ((u8)result[0]) outcomes[0] = TEXT("lost");
  }
  end_body(stream, body);
  outcomes[1] = outcome(sent ? response_of(future) : 0);
  list = (List){outcomes, 2};
  return &list;
}

EXPORT("again")
u32 again(const char *url, u32 size, u32 count) {
  u32 answered = 0;
  for (u32 i = 0; i < count; i++) {
    u32 before = heap_next;
    u32 response = exchange(line_of(TEXT("GET"), (Text){url, size}), (List){0, 0}, 0, TEXT(""));
    if (response) answered++, drop_response(response);
    heap_next = before;
  }
  return answered;
}

EXPORT("twice")
List *twice(const char *first, u32 first_size, u32 pause, const char *second, u32 second_size) {
  static List list;
  static Text outcomes[2];
  outcomes[0] = outcome(exchange(line_of(TEXT("GET"), (Text){first, first_size}), (List){0, 0}, 0, TEXT("")));
  ready(after(pause * 1000000ull));
  outcomes[1] = outcome(exchange(line_of(TEXT("GET"), (Text){second, second_size}), (List){0, 0}, 0, TEXT("")));
  list = (List){outcomes, 2};
  return &list;
}
