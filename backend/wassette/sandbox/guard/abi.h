// What the guard's components share: the canonical ABI's types, and imports and exports by name.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef __SIZE_TYPE__ size;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))

// string and list<u8>, as they lie in memory
typedef struct { const char *at; u32 size; } Text;
#define TEXT(literal) ((Text){(literal), sizeof(literal) - 1})

// result<…> and option<…>: the discriminant, at 0
enum { OK_CASE = 0, ERROR_CASE = 1 };

IMPORT("wassette:guard/host@0.1.0", "refused")
void host_refused(const char *kind, u32 kind_size, const char *target, u32 target_size);
