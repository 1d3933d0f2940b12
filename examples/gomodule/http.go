// HTTPS GET with wasi:http, whose functions are imported as the canonical ABI has them.
package main

import (
	"errors"
	"fmt"
	"unsafe"
)

//go:wasmimport wasi:http/types@0.2.12 [constructor]fields
func newFields() uint32

//go:wasmimport wasi:http/types@0.2.12 [constructor]outgoing-request
func newRequest(fields uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-scheme
func setScheme(request, some, scheme uint32, other unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-authority
func setAuthority(request, some uint32, text unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-path-with-query
func setPath(request, some uint32, text unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi:http/outgoing-handler@0.2.12 handle
func handle(request, some, options uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]future-incoming-response.subscribe
func subscribe(future uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]future-incoming-response.get
func receive(future uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]future-incoming-response
func dropFuture(future uint32)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-response.status
func statusOf(response uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-response.consume
func consume(response uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-body.stream
func streamOf(body uint32, result unsafe.Pointer)

//go:wasmimport wasi:io/poll@0.2.12 [method]pollable.block
func block(pollable uint32)

//go:wasmimport wasi:io/poll@0.2.12 [resource-drop]pollable
func dropPollable(pollable uint32)

//go:wasmimport wasi:io/streams@0.2.12 [method]input-stream.blocking-read
func blockingRead(stream uint32, most uint64, result unsafe.Pointer)

// What imports return is laid where this says, as for exports.
//
//go:wasmexport cabi_import_realloc
func importRealloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	return realloc(old, oldSize, align, size)
}

const (
	https   = 1
	denied  = 15 // HTTP-request-denied, of wasi:http's error codes
	maxBody = 1 << 20
)

func bytesOf(text string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(text)), uint32(len(text))
}

func codeError(code byte) error {
	if code == denied {
		return errors.New("the request is not permitted")
	}
	return fmt.Errorf("the request failed (wasi:http error %d)", code)
}

func get(host, path string) (status uint32, body string, err error) {
	request := newRequest(newFields())
	authority, authoritySize := bytesOf(host)
	line, lineSize := bytesOf(path)
	if setScheme(request, 1, https, nil, 0)|setAuthority(request, 1, authority, authoritySize)|
		setPath(request, 1, line, lineSize) != 0 {
		return 0, "", errors.New("not a URL")
	}
	var result [8]uint64 // aligned for all of these, and large enough
	at := (*[64]byte)(unsafe.Pointer(&result))
	word := func(offset int) uint32 { return *(*uint32)(unsafe.Pointer(&at[offset])) }

	handle(request, 0, 0, unsafe.Pointer(&result)) // result<future, error-code>
	if at[0] != 0 {
		return 0, "", codeError(at[8])
	}
	future := word(8)
	ready := subscribe(future)
	block(ready)
	dropPollable(ready)
	receive(future, unsafe.Pointer(&result)) // option<result<result<response, error-code>>>
	dropFuture(future)
	if at[0] != 1 || at[8] != 0 {
		return 0, "", errors.New("there was no answer")
	}
	if at[16] != 0 {
		return 0, "", codeError(at[24])
	}
	response := word(24)
	consume(response, unsafe.Pointer(&result))
	contents := word(4)
	streamOf(contents, unsafe.Pointer(&result))
	stream := word(4)
	var out []byte
	for len(out) < maxBody {
		blockingRead(stream, 65536, unsafe.Pointer(&result)) // result<list<u8>, stream-error>
		if at[0] != 0 {
			break
		}
		out = append(out, unsafe.Slice((*byte)(unsafe.Pointer(uintptr(word(4)))), word(8))...)
	}
	return statusOf(response), string(out), nil
}
