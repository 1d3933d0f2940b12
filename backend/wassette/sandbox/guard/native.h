// The native wasi:filesystem 0.2.12, as the file guard calls it.
//
// Each function writes its result<…> where its last argument points. In `result`, the discriminant
// is at 0 and the payload where its alignment has it: enums and flags at 1; handles, strings, lists,
// and the error code instead of them, at 4; 64-bit numbers, `descriptor-stat` and the like, and the
// error code instead of them, at 8.
#pragma once
#include "abi.h"

#define FILES "wasi:filesystem/types@0.2.12"
#define PREOPENS "wasi:filesystem/preopens@0.2.12"
#define METHOD(name) IMPORT(FILES, "[method]descriptor." name) void

METHOD("read-via-stream") native_read_via_stream(u32, u64, u8 *);
METHOD("write-via-stream") native_write_via_stream(u32, u64, u8 *);
METHOD("append-via-stream") native_append_via_stream(u32, u8 *);
METHOD("advise") native_advise(u32, u64, u64, u32, u8 *);
METHOD("sync-data") native_sync_data(u32, u8 *);
METHOD("get-flags") native_get_flags(u32, u8 *);
METHOD("get-type") native_get_type(u32, u8 *);
METHOD("set-size") native_set_size(u32, u64, u8 *);
METHOD("set-times") native_set_times(u32, u32, u64, u32, u32, u64, u32, u8 *);
METHOD("read") native_read(u32, u64, u64, u8 *);
METHOD("write") native_write(u32, const u8 *, u32, u64, u8 *);
METHOD("read-directory") native_read_directory(u32, u8 *);
METHOD("sync") native_sync(u32, u8 *);
METHOD("create-directory-at") native_create_directory_at(u32, const char *, u32, u8 *);
METHOD("stat") native_stat(u32, u8 *);
METHOD("stat-at") native_stat_at(u32, u32, const char *, u32, u8 *);
METHOD("set-times-at")
native_set_times_at(u32, u32, const char *, u32, u32, u64, u32, u32, u64, u32, u8 *);
METHOD("link-at") native_link_at(u32, u32, const char *, u32, u32, const char *, u32, u8 *);
METHOD("open-at") native_open_at(u32, u32, const char *, u32, u32, u32, u8 *);
METHOD("readlink-at") native_readlink_at(u32, const char *, u32, u8 *);
METHOD("remove-directory-at") native_remove_directory_at(u32, const char *, u32, u8 *);
METHOD("rename-at") native_rename_at(u32, const char *, u32, u32, const char *, u32, u8 *);
METHOD("symlink-at") native_symlink_at(u32, const char *, u32, const char *, u32, u8 *);
METHOD("unlink-file-at") native_unlink_file_at(u32, const char *, u32, u8 *);
METHOD("metadata-hash") native_metadata_hash(u32, u8 *);
METHOD("metadata-hash-at") native_metadata_hash_at(u32, u32, const char *, u32, u8 *);
#undef METHOD
IMPORT(FILES, "[method]descriptor.is-same-object") u32 native_is_same_object(u32, u32);
IMPORT(FILES, "[method]directory-entry-stream.read-directory-entry")
void native_read_directory_entry(u32, u8 *);
IMPORT(FILES, "filesystem-error-code") void native_filesystem_error_code(u32, u8 *);
IMPORT(FILES, "[resource-drop]descriptor") void native_drop(u32);
IMPORT(FILES, "[resource-drop]directory-entry-stream") void native_drop_entries(u32);
IMPORT(PREOPENS, "get-directories") void native_get_directories(u8 *);
IMPORT("wasi:io/error@0.2.12", "[resource-drop]error") void native_drop_error(u32);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "now") u64 native_now(void);

// error-code
typedef enum {
  E_ACCESS = 0, E_BAD_DESCRIPTOR = 3, E_EXIST = 7, E_ILLEGAL_BYTES = 9, E_INVALID = 12,
  E_IS_DIRECTORY = 14, E_LOOP = 15, E_NAME_TOO_LONG = 18, E_NO_ENTRY = 20, E_NO_MEMORY = 22,
  E_NOT_DIRECTORY = 24, E_NOT_PERMITTED = 31, E_READ_ONLY = 33, E_CROSS_DEVICE = 36,
  NO_ERROR = 255,
} Error;

enum { TYPE_UNKNOWN = 0, TYPE_DIRECTORY = 3, TYPE_LINK = 5, TYPE_FILE = 6 };  // descriptor-type
enum { FOLLOW = 1 };                                                          // path-flags
enum { OPEN_CREATE = 1, OPEN_DIRECTORY = 2, OPEN_EXCLUSIVE = 4, OPEN_TRUNCATE = 8 };  // open-flags
enum { FLAG_READ = 1, FLAG_WRITE = 2, FLAG_MUTATE = 32 };                     // descriptor-flags

// The result of the native call made last, and of the export being served.
extern u8 result[128];
#define RESULT_U32(at) (*(u32 *)(result + (at)))
#define RESULT_U64(at) (*(u64 *)(result + (at)))
#define RESULT_TEXT(offset) ((Text){(const char *)(size)RESULT_U32(offset), RESULT_U32((offset) + 4)})

// The error in `result`, whose error code is at an offset.
static inline Error error_at(u32 offset) {
  return result[0] == OK_CASE ? NO_ERROR : (Error)result[offset];
}

// descriptor-stat in result<descriptor-stat, error-code>
enum { STAT_ERROR = 8, STAT_TYPE = 8, STAT_LINKS = 16, STAT_BYTES = 104 };
