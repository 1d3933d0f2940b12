// GET by wasi:http. Whether a request may leave is not decided here.
#pragma once
#include "base.h"

#define HTTP "wasi:http/types@0.2.12"
#define POLL "wasi:io/poll@0.2.12"
#define STREAMS "wasi:io/streams@0.2.12"

// variant error-code: its payload is 8 bytes in.
typedef struct { u8 code; u8 has_message __attribute__((aligned(8))); Text message; u64 others, more; } HttpError;
typedef struct { u8 is_error; union { u32 handle; HttpError error; } value __attribute__((aligned(8))); } Handled;
// option<result<result<own<incoming-response>, error-code>>>
typedef struct {
  u8 is_ready;
  u8 is_taken __attribute__((aligned(8)));
  u8 is_error __attribute__((aligned(8)));
  union { u32 response; HttpError error; } value __attribute__((aligned(8)));
} Received;
typedef struct { u8 is_some; HttpError error __attribute__((aligned(8))); } OptionalHttpError;

IMPORT(HTTP, "[constructor]fields") u32 new_fields(void);
IMPORT(HTTP, "[method]fields.append") void append(u32, const u8 *, u32, const u8 *, u32, u8 *);
IMPORT(HTTP, "[method]fields.get") void get_field(u32, const u8 *, u32, List *);
IMPORT(HTTP, "[resource-drop]fields") void drop_fields(u32);
IMPORT(HTTP, "[constructor]outgoing-request") u32 new_request(u32 fields);
IMPORT(HTTP, "[resource-drop]outgoing-request") void drop_request(u32);
IMPORT(HTTP, "[method]outgoing-request.set-scheme") u32 set_scheme(u32, u32 some, u32 scheme, const u8 *, u32);
IMPORT(HTTP, "[method]outgoing-request.set-authority") u32 set_authority(u32, u32 some, const u8 *, u32);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query") u32 set_path(u32, u32 some, const u8 *, u32);
IMPORT(HTTP, "[method]future-incoming-response.subscribe") u32 subscribe(u32);
IMPORT(HTTP, "[method]future-incoming-response.get") void receive(u32, Received *);
IMPORT(HTTP, "[resource-drop]future-incoming-response") void drop_future(u32);
IMPORT(HTTP, "[method]incoming-response.status") u32 status_of(u32);
IMPORT(HTTP, "[method]incoming-response.headers") u32 headers_of(u32);
IMPORT(HTTP, "[method]incoming-response.consume") void consume(u32, u32 *);
IMPORT(HTTP, "[resource-drop]incoming-response") void drop_response(u32);
IMPORT(HTTP, "[method]incoming-body.stream") void stream_of(u32, u32 *);
IMPORT(HTTP, "[resource-drop]incoming-body") void drop_body(u32);
IMPORT(HTTP, "http-error-code") void error_code_of(u32 error, OptionalHttpError *);
IMPORT(POLL, "[method]pollable.block") void block(u32);
IMPORT(POLL, "[resource-drop]pollable") void drop_pollable(u32);
IMPORT(STREAMS, "[method]input-stream.blocking-read") void blocking_read(u32, u64 most, u32 *);
IMPORT(STREAMS, "[resource-drop]input-stream") void drop_stream(u32);
IMPORT("wasi:io/error@0.2.12", "[resource-drop]error") void drop_error(u32);
IMPORT("wasi:http/outgoing-handler@0.2.12", "handle") void handle(u32, u32 some, u32 options, Handled *);

static inline Text http_error(const HttpError *error) {
  static const Text names[] = {
      TEXT("its name was not resolved in time"), TEXT("its name cannot be resolved"), TEXT("it is not found"),
      TEXT("it cannot be reached"), TEXT("its address is not permitted"), TEXT("it cannot be reached"),
      TEXT("the connection was refused"), TEXT("the connection was ended"), TEXT("the connection took too long"),
      TEXT("the answer took too long"), TEXT("the request took too long"), TEXT("there are too many connections"),
      TEXT("TLS failed"), TEXT("its certificate is not valid"), TEXT("TLS failed"), TEXT("the request is not permitted"),
  };
  Text name = error->code < COUNT(names) ? names[error->code] : TEXT("the answer is not valid");
  int says_more = (error->code == 1 || error->code == 38) && error->has_message && error->message.size;
  return says_more ? joined3(name, TEXT(": "), error->message) : name;
}

typedef struct { int https; Text authority, path; } Url;

// An http or https URL without its fragment; false if it is none.
static inline int parse_url(Text text, Url *url) {
  text = trimmed(text);
  for (u32 i = 0; i < text.size; i++) {
    if (text.data[i] <= ' ' || text.data[i] == 0x7F || text.data[i] == '\\') return 0;
    if (text.data[i] == '#') text.size = i;
  }
  u32 start = text.size >= 8 && same_letters(part(text, 0, 8), TEXT("https://")) ? 8
              : text.size >= 7 && same_letters(part(text, 0, 7), TEXT("http://")) ? 7 : 0;
  if (!start) return 0;
  u32 end = start;
  while (end < text.size && text.data[end] != '/' && text.data[end] != '?') end++;
  url->https = start == 8;
  url->authority = part(text, start, end);
  Text rest = part(text, end, text.size);
  // What is not ASCII is sent as browsers do.
  Buffer out = {0};
  if (!rest.size || rest.data[0] != '/') add(&out, '/');
  for (u32 i = 0; i < rest.size; i++) {
    u8 c = rest.data[i];
    if (c < 0x80 && c != '"' && c != '<' && c != '>' && c != '`' && c != '{' && c != '}') add(&out, c);
    else add(&out, '%'), add_hex(&out, c, 2);
  }
  url->path = text_of(out);
  return url->authority.size > 0;
}

static inline Text url_text(const Url *url) {
  return joined3(url->https ? TEXT("https://") : TEXT("http://"), url->authority, url->path);
}

// What references on a page are relative to, taken apart once.
typedef struct { int known; Text scheme, origin, path, directory; } Base;  // path: without its query

static inline Base base_of(Text text) {
  Url url;
  Base base = {0};
  if (!parse_url(text, &url)) return base;
  u32 end = 0;
  while (end < url.path.size && url.path.data[end] != '?') end++;
  u32 slash = end;
  while (slash && url.path.data[slash - 1] != '/') slash--;
  base.known = 1;
  base.scheme = url.https ? TEXT("https:") : TEXT("http:");
  base.origin = joined3(base.scheme, TEXT("//"), url.authority);
  base.path = part(url.path, 0, end);
  base.directory = part(url.path, 0, slash);
  return base;
}

// Where a reference leads.
static inline Text resolve_url(const Base *base, Text reference) {
  reference = trimmed(reference);
  u32 colon = 0;
  while (colon < reference.size && (is_upper(reference.data[colon]) || is_lower(reference.data[colon]) || is_digit(reference.data[colon]) || reference.data[colon] == '+' || reference.data[colon] == '-' || reference.data[colon] == '.')) colon++;
  if ((colon && colon < reference.size && reference.data[colon] == ':') || !reference.size || !base->known) return reference;
  if (starts_with(reference, TEXT("//"))) return joined3(base->scheme, reference, TEXT(""));
  if (reference.data[0] == '#' || reference.data[0] == '?') return joined3(base->origin, base->path, reference);
  Buffer out = {0};
  add_text(&out, base->origin);
  u32 root = out.size;
  if (reference.data[0] != '/') add_text(&out, base->directory);
  if (out.size == root) add(&out, '/');
  u32 tail = 0;
  while (tail < reference.size && reference.data[tail] != '?' && reference.data[tail] != '#') tail++;
  for (u32 at = reference.data[0] == '/'; at < tail;) {
    u32 end = at;
    while (end < tail && reference.data[end] != '/') end++;
    Text name = part(reference, at, end);
    if (same(name, TEXT(".."))) {
      if (out.size > root + 1) out.size--;  // the slash at the end
      while (out.size > root + 1 && out.data[out.size - 1] != '/') out.size--;
    } else if (!same(name, TEXT("."))) {
      add_text(&out, name);
      if (end < tail) add(&out, '/');
    }
    at = end + 1;
  }
  add_text(&out, part(reference, tail, reference.size));
  return text_of(out);
}

typedef struct { u32 status; Text type, location, body; int cut; } Response;

static inline Text header(u32 response, Text name) {
  u32 fields = headers_of(response);
  List values;
  get_field(fields, name.data, name.size, &values);
  drop_fields(fields);
  return values.count ? ((const Text *)values.data)[0] : (Text){0, 0};
}

// Makes one request; at most `most` bytes of the body are read. The error is ready to be shown.
static inline int http_get(const Url *url, Text accept, u32 most, Response *response, Text *error) {
  u8 outcome[2];
  u32 fields = new_fields();
  Text agent = TEXT("wassette-fetch/0.1");
  append(fields, (const u8 *)"accept", 6, accept.data, accept.size, outcome);
  append(fields, (const u8 *)"user-agent", 10, agent.data, agent.size, outcome);
  u32 request = new_request(fields);
  if (set_scheme(request, 1, (u32)url->https, 0, 0) || set_authority(request, 1, url->authority.data, url->authority.size) ||
      set_path(request, 1, url->path.data, url->path.size)) {
    drop_request(request);
    return *error = TEXT("url: is not one that can be requested"), 0;
  }
  static Handled handled;
  handle(request, 0, 0, &handled);
  if (handled.is_error) return *error = http_error(&handled.value.error), 0;
  u32 future = handled.value.handle, ready = subscribe(future);
  block(ready);
  drop_pollable(ready);
  static Received received;
  receive(future, &received);
  drop_future(future);
  if (!received.is_ready || received.is_taken) return *error = TEXT("there was no answer"), 0;
  if (received.is_error) return *error = http_error(&received.value.error), 0;
  u32 answer = received.value.response, handles[4];
  *response = (Response){.status = status_of(answer), .type = header(answer, TEXT("content-type")),
                         .location = header(answer, TEXT("location"))};
  consume(answer, handles);
  if ((u8)handles[0]) {
    drop_response(answer);
    return *error = TEXT("the answer has no body"), 0;
  }
  u32 body = handles[1];
  stream_of(body, handles);
  u32 stream = handles[1], ok = 1;
  Buffer out = {0};
  for (;;) {
    // One byte more than is wanted tells whether there is more.
    u32 mark = arena_end, left = most + 1 - out.size;
    if (!left) break;
    blocking_read(stream, left < 65536 ? left : 65536, handles);
    if ((u8)handles[0]) {
      if (!(u8)handles[1]) {
        static OptionalHttpError why;
        error_code_of(handles[2], &why);
        drop_error(handles[2]);
        *error = why.is_some ? http_error(&why.error) : TEXT("the answer broke off");
        ok = 0;
      }
      break;
    }
    Text piece = {(const u8 *)handles[1], handles[2]};
    if (piece.size > left) __builtin_trap();
    if (out.room - out.size < piece.size) {
      add_text(&out, piece);
    } else {
      __builtin_memcpy(more(&out, piece.size), piece.data, piece.size);
      arena_end = mark;
    }
  }
  drop_stream(stream);
  drop_body(body);
  drop_response(answer);
  response->cut = out.size > most;
  if (out.size > most) out.size = most;
  response->body = text_of(out);
  return (int)ok;
}
