// Guards wasi:http/outgoing-handler: asks the host for a route for every request, and sends the
// request there, which is the relay's door on this machine. Bodies do not pass through here.
//
// Offsets and cases follow the canonical ABI for the types of wasi:http 0.2.12.
#include "memory.h"

#define TYPES "wasi:http/types@0.2.12"
#define REQUEST(name) IMPORT(TYPES, "[method]outgoing-request." name)
#define OPTIONS(name) IMPORT(TYPES, "[method]request-options." name)

typedef struct { u8 some, pad[3]; Text text; } OptionalText;
typedef struct { u8 some, pad[7]; u64 value; } OptionalTime;  // nanoseconds
// variant method, variant scheme: the case, and the text of `other`
typedef struct { u8 which, pad[3]; Text other; } Method;
typedef struct { u8 some, pad[3], which, pad2[3]; Text other; } OptionalScheme;

REQUEST("method") void request_method(u32, Method *);
REQUEST("scheme") void request_scheme(u32, OptionalScheme *);
REQUEST("authority") void request_authority(u32, OptionalText *);
REQUEST("path-with-query") void request_path(u32, OptionalText *);
REQUEST("set-method") u32 request_set_method(u32, u32 which, const char *, u32);
REQUEST("set-scheme") u32 request_set_scheme(u32, u32 some, u32 which, const char *, u32);
REQUEST("set-authority") u32 request_set_authority(u32, u32 some, const char *, u32);
REQUEST("set-path-with-query") u32 request_set_path(u32, u32 some, const char *, u32);
IMPORT(TYPES, "[resource-drop]outgoing-request") void request_drop(u32);
IMPORT(TYPES, "[constructor]request-options") u32 options_new(void);
OPTIONS("connect-timeout") void options_connect(u32, OptionalTime *);
OPTIONS("first-byte-timeout") void options_first_byte(u32, OptionalTime *);
OPTIONS("between-bytes-timeout") void options_between_bytes(u32, OptionalTime *);
OPTIONS("set-first-byte-timeout") u32 options_set_first_byte(u32, u32 some, u64);
OPTIONS("set-between-bytes-timeout") u32 options_set_between_bytes(u32, u32 some, u64);
IMPORT(TYPES, "[resource-drop]request-options") void options_drop(u32);
IMPORT("wasi:http/outgoing-handler@0.2.12", "handle")
void native_handle(u32 request, u32 has_options, u32 options, void *result);

// result<destination, refusal> of the host: the discriminant at 0, either at 8.
typedef struct { Text authority, path; u64 first_byte, between_bytes; } Destination;
typedef struct { u8 code, pad[3]; OptionalText detail; } Refusal;
typedef struct {
  u8 refused, pad[7];
  union { Destination to; Refusal refusal; };
} Answer;
IMPORT("wassette:guard/host@0.1.0", "route")
void host_route(const char *method, u32, const char *scheme, u32, const char *authority, u32,
                const char *path, u32, u32 has_connect_timeout, u64 connect_timeout, Answer *);

// result<future-incoming-response, error-code>: discriminant at 0, the error's case at 8, and what
// comes with it at 16. All cases but two have nothing with them, or only what may be absent.
typedef struct {
  u8 is_error, pad[7], code, pad2[7];
  OptionalText detail;  // of DNS-error: rcode, then an absent info-code; of internal-error
  u8 rest[32];
} __attribute__((aligned(8))) Result;
enum { SCHEME_HTTP = 0, SCHEME_HTTPS = 1, SCHEME_OTHER = 2 };
enum { METHOD_GET = 0, METHOD_HEAD = 1, METHOD_POST = 2, METHOD_OTHER = 9 };
enum { DNS_ERROR = 1, INTERNAL_ERROR = 38 };

_Static_assert(sizeof(Answer) == 40 && sizeof(Method) == 12 && sizeof(OptionalScheme) == 16, "ABI");
_Static_assert(__builtin_offsetof(Result, detail) == 16, "ABI");

static Result *failed(u8 code, OptionalText detail) {
  static Result result;
  result = (Result){.is_error = 1, .code = code};
  if (code == DNS_ERROR || code == INTERNAL_ERROR) result.detail = detail;
  return &result;
}

static Text method_of(u32 request) {
  static const char names[METHOD_OTHER][8] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                              "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  Method method;
  request_method(request, &method);
  if (method.which >= METHOD_OTHER) return method.other;
  u32 size = 0;
  while (names[method.which][size]) size++;
  return (Text){names[method.which], size};
}

static Text scheme_of(u32 request) {
  OptionalScheme scheme;
  request_scheme(request, &scheme);
  if (scheme.some && scheme.which == SCHEME_HTTP) return TEXT("http");
  if (scheme.some && scheme.which == SCHEME_OTHER) return scheme.other;
  return TEXT("https");  // also what the runtime takes when a request names none
}

static Text text_of(void (*read)(u32, OptionalText *), u32 request) {
  OptionalText found;
  read(request, &found);
  return found.some ? found.text : TEXT("");
}

// The runtime would wait for ten minutes: it is to wait no longer than the relay does.
static int limit(void (*read)(u32, OptionalTime *), u32 (*write)(u32, u32, u64), u32 options,
                 u64 most) {
  OptionalTime own;
  read(options, &own);
  return (own.some && own.value <= most) || write(options, 1, most) == OK_CASE;
}

// The runtime lets go of the body of a GET or HEAD when it has sent the head: a component that is
// still about to say that its body is empty, as Rust's wstd does, would be told that the connection
// is lost. That of a POST it keeps until the component has ended it. The relay knows the method, and
// takes this one for the way to it only.
static int keep_body(u32 request) {
  Method method;
  request_method(request, &method);
  return (method.which != METHOD_GET && method.which != METHOD_HEAD) ||
         request_set_method(request, METHOD_POST, 0, 0) == OK_CASE;
}

// Whether all of the request leads to the door now. Nothing of it was sent yet.
static int redirect(u32 request, u32 options, const Destination *to) {
  return keep_body(request) && request_set_scheme(request, 1, SCHEME_HTTP, 0, 0) == OK_CASE &&
         request_set_authority(request, 1, to->authority.at, to->authority.size) == OK_CASE &&
         request_set_path(request, 1, to->path.at, to->path.size) == OK_CASE &&
         limit(options_first_byte, options_set_first_byte, options, to->first_byte) &&
         limit(options_between_bytes, options_set_between_bytes, options, to->between_bytes);
}

EXPORT("wasi:http/outgoing-handler@0.2.12#handle")
Result *handle(u32 request, u32 has_options, u32 options) {
  enter();
  OptionalTime connect = {0};
  if (has_options) options_connect(options, &connect);
  Text method = method_of(request), scheme = scheme_of(request);
  Text authority = text_of(request_authority, request), path = text_of(request_path, request);
  Answer answer;
  host_route(method.at, method.size, scheme.at, scheme.size, authority.at, authority.size, path.at,
             path.size, connect.some, connect.some ? connect.value : 0, &answer);
  Result *result;
  if (!answer.refused && !has_options) {
    has_options = 1;
    options = options_new();
  }
  if (!answer.refused && redirect(request, options, &answer.to)) {
    static Result native;
    native_handle(request, 1, options, &native);
    result = &native;
  } else {
    result = answer.refused ? failed(answer.refusal.code, answer.refusal.detail)
                            : failed(INTERNAL_ERROR, (OptionalText){0});
    request_drop(request);
    if (has_options) options_drop(options);
  }
  leave();
  return result;
}
