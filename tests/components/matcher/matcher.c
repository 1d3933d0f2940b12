// The guard's matcher alone, as a core module, for comparing it with the other implementation.
#include "locate.h"
#include "rules.h"
#include "memory.h"

Mount *mounts;
u32 mount_count;

void host_refused(const char *kind, u32 kind_size, const char *target, u32 target_size) {
  (void)kind, (void)kind_size, (void)target, (void)target_size;
}

EXPORT("alloc") void *alloc(u32 size) { return keep(size + 1); }

// Mount paths, each followed by a NUL; the root is "".
EXPORT("set-mounts") void set_mounts(const char *at, u32 size) {
  mounts = keep(size * (u32)sizeof *mounts + 1);
  for (u32 i = 0, start = 0; i < size; i++)
    if (!at[i]) {
      mounts[mount_count] = (Mount){{at + start, i - start}, mount_count, 0, 0};
      mount_count++;
      start = i + 1;
    }
}

EXPORT("set-rules") void give_rules(const char *at, u32 size) { set_rules((Text){at, size}); }

// Of a normalised path: access, 4 if visible, 8 if some name in it is ambiguous.
EXPORT("decide") u32 decide_path(const char *at, u32 size) {
  Verdict verdict = judge((Text){at, size});
  u32 ambiguous = 0;
  for (u32 i = 0; i < size;) {
    u32 first = ++i;
    while (i < size && at[i] != '/') i++;
    ambiguous |= (u32)is_ambiguous((Text){at + first, i - first});
  }
  return verdict.access | (verdict.visible ? 4u : 0) | (ambiguous ? 8u : 0);
}
