from urllib.parse import urlsplit

import wit_world
from componentize_py_types import Err
from wit_world.imports import outgoing_handler, types
from wit_world.imports.streams import StreamError_Closed

METHODS = ("Get", "Head", "Post", "Put", "Delete", "Connect", "Options", "Trace", "Patch")


class WitWorld(wit_world.WitWorld):
    def request(self, method, url, headers, body):
        parts = urlsplit(url)
        fields = types.Fields.from_list([(name, value.encode()) for name, value in headers])
        outgoing = types.OutgoingRequest(fields)
        name = method.capitalize()
        known = getattr(types, f"Method_{name}")() if name in METHODS else types.Method_Other(method)
        outgoing.set_method(known)
        https = parts.scheme == "https"
        outgoing.set_scheme(types.Scheme_Https() if https else types.Scheme_Http())
        outgoing.set_authority(parts.netloc)
        outgoing.set_path_with_query(parts.path + (f"?{parts.query}" if parts.query else ""))
        sink = outgoing.body() if body else None
        try:
            future = outgoing_handler.handle(outgoing, None)
            if sink is not None:
                with sink.write() as stream:
                    data = body.encode()
                    for at in range(0, len(data), 4096):
                        stream.blocking_write_and_flush(data[at : at + 4096])
                types.OutgoingBody.finish(sink, None)
            future.subscribe().block()
            answer = future.get().value
            if isinstance(answer, Err):
                raise answer
            return self.reply(answer.value)
        except Err as error:
            raise Err(named(error.value)) from None

    def reply(self, response):
        headers = [(name, value.decode()) for name, value in response.headers().entries()]
        incoming = response.consume()
        data = bytearray()
        with incoming.stream() as stream:
            while True:
                try:
                    data += stream.blocking_read(65536)
                except Err as error:
                    if isinstance(error.value, StreamError_Closed):
                        break
                    raise Err(types.http_error_code(error.value.value)) from None
        return wit_world.Reply(response.status(), headers, data.decode())


def named(code):
    return type(code).__name__.removeprefix("ErrorCode_")
