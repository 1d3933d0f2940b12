#include "../abi.h"

#define HTTP "wasi:http/types@0.2.12"
IMPORT(HTTP, "[constructor]fields") u32 new_fields(void);
IMPORT(HTTP, "[constructor]outgoing-request") u32 new_request(u32 fields);
IMPORT(HTTP, "[method]outgoing-request.set-scheme")
u32 set_scheme(u32 request, u32 is_some, u32 scheme, const char *other, u32 size);
IMPORT(HTTP, "[method]outgoing-request.set-authority")
u32 set_authority(u32 request, u32 is_some, const char *authority, u32 size);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query")
u32 set_path(u32 request, u32 is_some, const char *path, u32 size);
IMPORT(HTTP, "[method]future-incoming-response.subscribe") u32 subscribe(u32 future);
IMPORT(HTTP, "[method]incoming-response.status") u32 status(u32 response);
IMPORT(HTTP, "[resource-drop]incoming-response") void drop_response(u32 response);
IMPORT(HTTP, "[resource-drop]future-incoming-response") void drop_future(u32 future);
IMPORT("wasi:io/poll@0.2.12", "[method]pollable.block") void block(u32 pollable);
IMPORT("wasi:io/poll@0.2.12", "[resource-drop]pollable") void drop_pollable(u32 pollable);

// variant error-code: its payload is 8 bytes in.
typedef struct {
  u8 code;
  u8 has_message __attribute__((aligned(8))); // of internal-error(option<string>)
  Text message;
  u64 others;
} Error;

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

// result<u16, string>
typedef struct {
  u8 is_error;
  union { u16 status; Text text; } value __attribute__((aligned(4)));
} Response;

static Response *failed(Text text) {
  static Response response;
  response.is_error = 1;
  response.value.text = text;
  return &response;
}

static Response *error(const Error *error) {
  const char *name = CODES[error->code];
  u32 size = 0;
  while (name[size]) size++;
  Text text = {name, size};
  if (error->code == LENGTH(CODES) - 1 && error->has_message)
    text = joined(joined(text, TEXT(": ")), error->message);
  return failed(text);
}

EXPORT("get")
Response *get(const char *authority, u32 authority_size, const char *path, u32 path_size, u32 https) {
  u32 request = new_request(new_fields());
  if (set_scheme(request, 1, https, 0, 0)) return failed(TEXT("the scheme is refused"));
  if (set_authority(request, 1, authority, authority_size))
    return failed(TEXT("the authority is not valid"));
  if (set_path(request, 1, path, path_size)) return failed(TEXT("the path is not valid"));

  static Handled handled;
  handle(request, 0, 0, &handled);
  if (handled.is_error) return error(&handled.value.error);
  u32 future = handled.value.future, pollable = subscribe(future);
  block(pollable);
  drop_pollable(pollable);
  static Received received;
  receive(future, &received);
  drop_future(future);
  if (!received.is_ready || received.is_taken) __builtin_trap();
  if (received.is_error) return error(&received.value.error);

  static Response response;
  response.is_error = 0;
  response.value.status = (u16)status(received.value.response);
  drop_response(received.value.response);
  return &response;
}
