#include "../abi.h"

#define TCP "wasi:sockets/tcp@0.2.12"
#define UDP "wasi:sockets/udp@0.2.12"
#define LOOKUP "wasi:sockets/ip-name-lookup@0.2.12"

// A result whose value is at most 4-aligned, with room for any of them.
typedef struct {
  u8 is_error;
  union { u8 error; u32 handles[9]; } value __attribute__((aligned(4)));
} Outcome;
// result<_, error-code>
typedef struct { u8 is_error, error; } Done;
// result<u64, error-code>
typedef struct {
  u8 is_error;
  union { u8 error; u64 count; } value __attribute__((aligned(8)));
} Counted;
typedef struct { const char *data; u32 size; u8 has_address; u32 address[8]; } Datagram;

// ip-socket-address in registers: the case, then the port and four bytes of ipv4 (ipv6 has eleven).
#define ADDRESS u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32
#define LOOPBACK(port) 0, (port), 127, 0, 0, 1, 0, 0, 0, 0, 0, 0

IMPORT("wasi:sockets/instance-network@0.2.12", "instance-network") u32 instance_network(void);
IMPORT("wasi:io/poll@0.2.12", "[method]pollable.block") void block(u32 pollable);
IMPORT("wasi:sockets/tcp-create-socket@0.2.12", "create-tcp-socket")
void create_tcp(u32 family, Outcome *socket);
IMPORT(TCP, "[method]tcp-socket.start-connect")
void tcp_start_connect(u32 socket, u32 network, ADDRESS, Done *done);
IMPORT(TCP, "[method]tcp-socket.finish-connect") void tcp_finish_connect(u32 socket, Outcome *streams);
IMPORT(TCP, "[method]tcp-socket.start-bind")
void tcp_start_bind(u32 socket, u32 network, ADDRESS, Done *done);
IMPORT(TCP, "[method]tcp-socket.finish-bind") void tcp_finish_bind(u32 socket, Done *done);
IMPORT(TCP, "[method]tcp-socket.start-listen") void tcp_start_listen(u32 socket, Done *done);
IMPORT(TCP, "[method]tcp-socket.finish-listen") void tcp_finish_listen(u32 socket, Done *done);
IMPORT(TCP, "[method]tcp-socket.subscribe") u32 tcp_subscribe(u32 socket);
IMPORT("wasi:sockets/udp-create-socket@0.2.12", "create-udp-socket")
void create_udp(u32 family, Outcome *socket);
IMPORT(UDP, "[method]udp-socket.start-bind")
void udp_start_bind(u32 socket, u32 network, ADDRESS, Done *done);
IMPORT(UDP, "[method]udp-socket.finish-bind") void udp_finish_bind(u32 socket, Done *done);
IMPORT(UDP, "[method]udp-socket.stream")
void udp_stream(u32 socket, u32 is_some, ADDRESS, Outcome *streams);
IMPORT(UDP, "[method]outgoing-datagram-stream.check-send")
void udp_check_send(u32 stream, Counted *permitted);
IMPORT(UDP, "[method]outgoing-datagram-stream.send")
void udp_send(u32 stream, const Datagram *datagrams, u32 count, Counted *sent);
IMPORT(LOOKUP, "resolve-addresses")
void resolve(u32 network, const char *name, u32 size, Outcome *stream);
IMPORT(LOOKUP, "[method]resolve-address-stream.subscribe") u32 lookup_subscribe(u32 stream);
IMPORT(LOOKUP, "[method]resolve-address-stream.resolve-next-address")
void next_address(u32 stream, Outcome *address);

static const Text CODES[] = {
    TEXT("unknown"), TEXT("access-denied"), TEXT("not-supported"), TEXT("invalid-argument"),
    TEXT("out-of-memory"), TEXT("timeout"), TEXT("concurrency-conflict"), TEXT("not-in-progress"),
    TEXT("would-block"), TEXT("invalid-state"), TEXT("new-socket-limit"),
    TEXT("address-not-bindable"), TEXT("address-in-use"), TEXT("remote-unreachable"),
    TEXT("connection-refused"), TEXT("connection-reset"), TEXT("connection-aborted"),
    TEXT("datagram-too-large"), TEXT("name-unresolvable"), TEXT("temporary-resolver-failure"),
    TEXT("permanent-resolver-failure")};
enum { IPV4 = 0, WOULD_BLOCK = 8 };

static Text *returned(Text text) {
  static Text result;
  result = text;
  return &result;
}
#define FAILED(step, code) returned(joined(TEXT(step ": "), CODES[code]))

EXPORT("tcp-probe") Text *tcp_probe(u32 port) {
  Outcome socket, streams;
  Done done;
  create_tcp(IPV4, &socket);
  if (socket.is_error) return FAILED("create-tcp-socket", socket.value.error);
  u32 tcp = socket.value.handles[0];
  tcp_start_connect(tcp, instance_network(), LOOPBACK(port), &done);
  if (done.is_error) return FAILED("start-connect", done.error);
  do {
    block(tcp_subscribe(tcp));
    tcp_finish_connect(tcp, &streams);
  } while (streams.is_error && streams.value.error == WOULD_BLOCK);
  if (streams.is_error) return FAILED("finish-connect", streams.value.error);
  return returned(TEXT("ok"));
}

EXPORT("listen-probe") Text *listen_probe(void) {
  Outcome socket;
  Done done;
  create_tcp(IPV4, &socket);
  if (socket.is_error) return FAILED("create-tcp-socket", socket.value.error);
  u32 tcp = socket.value.handles[0];
  tcp_start_bind(tcp, instance_network(), LOOPBACK(0), &done);
  if (done.is_error) return FAILED("start-bind", done.error);
  tcp_finish_bind(tcp, &done);
  if (done.is_error) return FAILED("finish-bind", done.error);
  tcp_start_listen(tcp, &done);
  if (done.is_error) return FAILED("start-listen", done.error);
  tcp_finish_listen(tcp, &done);
  if (done.is_error) return FAILED("finish-listen", done.error);
  return returned(TEXT("ok"));
}

EXPORT("udp-probe") Text *udp_probe(u32 port) {
  Outcome socket, streams;
  Done done;
  Counted counted;
  create_udp(IPV4, &socket);
  if (socket.is_error) return FAILED("create-udp-socket", socket.value.error);
  u32 udp = socket.value.handles[0];
  udp_start_bind(udp, instance_network(), LOOPBACK(0), &done);
  if (done.is_error) return FAILED("start-bind", done.error);
  udp_finish_bind(udp, &done);
  if (done.is_error) return FAILED("finish-bind", done.error);
  udp_stream(udp, 1, LOOPBACK(port), &streams);
  if (streams.is_error) return FAILED("stream", streams.value.error);
  u32 outgoing = streams.value.handles[1];
  udp_check_send(outgoing, &counted);
  if (counted.is_error) return FAILED("check-send", counted.value.error);
  Datagram datagram = {"probe", 5, 0, {0}};
  udp_send(outgoing, &datagram, 1, &counted);
  if (counted.is_error) return FAILED("send", counted.value.error);
  return returned(TEXT("ok"));
}

EXPORT("lookup-probe") Text *lookup_probe(const char *name, u32 size) {
  Outcome stream, address;
  resolve(instance_network(), name, size, &stream);
  if (stream.is_error) return FAILED("resolve-addresses", stream.value.error);
  do {
    block(lookup_subscribe(stream.value.handles[0]));
    next_address(stream.value.handles[0], &address);
  } while (address.is_error && address.value.error == WOULD_BLOCK);
  if (address.is_error) return FAILED("resolve-next-address", address.value.error);
  return returned(TEXT("ok"));
}
