#include "rules.h"
#include "memory.h"

// ---- comparing one name -----------------------------------------------------------------------

typedef enum { LITERAL, WILD, ANY_DEPTH } SegmentKind;
typedef struct { Text text; SegmentKind kind; } Segment;

static int fold_case, windows_names;  // the options
u8 uses_told;

static char lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
static int is_ascii(Text text) {
  for (u32 i = 0; i < text.size; i++)
    if ((u8)text.at[i] >= 0x80) return 0;
  return 1;
}

// `*` is any run of characters, `?` one character of UTF-8.
static int matches(const Segment *segment, Text name, int fold) {
  Text g = segment->text;
  int wild = segment->kind == WILD;
  if (!wild && g.size != name.size) return 0;
  u32 i = 0, k = 0, star = ~0u, resume = 0;
  while (i < name.size) {
    if (wild && k < g.size && g.at[k] == '*') {
      star = k++;
      resume = i;
    } else if (wild && k < g.size && g.at[k] == '?') {
      k++, i++;
      while (i < name.size && ((u8)name.at[i] & 0xC0) == 0x80) i++;
    } else if (k < g.size && (g.at[k] == name.at[i] || (fold && lower(g.at[k]) == lower(name.at[i])))) {
      k++, i++;
    } else if (star != ~0u) {
      k = star + 1;
      i = ++resume;
    } else {
      return 0;
    }
  }
  while (wild && k < g.size && g.at[k] == '*') k++;
  return k == g.size;
}

// Case and normalisation beyond ASCII. File systems differ in their tables (and HFS+ skips
// invisible characters), so none is built in. What all have in common: ASCII becomes ASCII in its
// place; a character of another script (Greek to Hangul, ideographs, emoji) becomes characters of
// such scripts; and any other (é, ﬁ, the Kelvin sign, accents, invisible ones) becomes anything, or
// nothing. A deny rule matches a name if there is a text that both can become. So `deny secret`
// refuses ſecret and sécret too, but neither 日本 nor straße: it errs towards refusing.
typedef enum { CHARACTER, ONE, OTHER_SCRIPT, ANYTHING } TokenKind;
typedef struct { u8 kind; char c; } Token;

static int is_other_script(u32 c) {
  static const struct { u32 first, last; } ranges[] = {
    {0x0391, 0x05FF}, {0x0620, 0x06D3}, {0x0900, 0x10FF}, {0x3041, 0x3096}, {0x30A1, 0x312F}, {0x3400, 0x9FFF}, {0xAC00, 0xD7A3},
    {0x1F300, 0x1FAFF},
  };
  for (u32 i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (c >= ranges[i].first && c <= ranges[i].last) return 1;
  return 0;
}

static u32 tokens(Text text, int wild, Token *out) {
  u32 count = 0;
  for (u32 i = 0; i < text.size && count < MAX_NAME;) {
    u8 lead = (u8)text.at[i];
    Token token = {CHARACTER, lower((char)lead)};
    if (lead < 0x80) {
      i++;
      if (wild && lead == '*') token.kind = ANYTHING;
      if (wild && lead == '?') token.kind = ONE;
    } else {
      u32 c = lead & (lead < 0xE0 ? 0x1F : lead < 0xF0 ? 0x0F : 0x07);
      for (i++; i < text.size && ((u8)text.at[i] & 0xC0) == 0x80; i++)
        c = c << 6 | ((u8)text.at[i] & 0x3F);
      token = (Token){is_other_script(c) ? OTHER_SCRIPT : ANYTHING, 0};
    }
    int again = token.kind == ANYTHING || token.kind == OTHER_SCRIPT;
    if (again && count && out[count - 1].kind == token.kind) continue;  // one for the whole run
    out[count++] = token;
  }
  return count;
}

static int may_become_same(const Segment *segment, Text name) {
  static Token a[MAX_NAME], b[MAX_NAME];
  static u8 rows[2][MAX_NAME + 1];
  if (segment->text.size > MAX_NAME) return 1;
  u32 n = tokens(segment->text, segment->kind == WILD, a), m = tokens(name, 0, b);
  // rows[i & 1][j]: whether the tokens from a[i] and from b[j] can become the same text
  for (u32 i = n + 1; i-- > 0;) {
    u8 *here = rows[i & 1], *below = rows[~i & 1];
    for (u32 j = m + 1; j-- > 0;) {
      int more_a = i < n, more_b = j < m;
      u8 x = more_a ? a[i].kind : 255, y = more_b ? b[j].kind : 255;
      int can = !more_a && !more_b;
      if (x == ANYTHING || y == ANYTHING) can = (more_a && below[j]) || (more_b && here[j + 1]);
      else if (more_a && more_b && x == CHARACTER && y == CHARACTER) can = a[i].c == b[j].c && below[j + 1];
      else if (more_a && more_b && x == ONE) can = below[j + 1] || (y == OTHER_SCRIPT && below[j]);
      else if (x == OTHER_SCRIPT && y == OTHER_SCRIPT) can = below[j + 1] || below[j] || here[j + 1];
      here[j] = (u8)can;
    }
  }
  return rows[0][0];
}

static int denies(const Segment *segment, Text name) {
  if (!fold_case) return matches(segment, name, 0);
  if (is_ascii(name) && is_ascii(segment->text)) return matches(segment, name, 1);
  return may_become_same(segment, name);
}

static int is_word(Text name, const char *word, u32 size) {
  if (name.size != size) return 0;
  for (u32 i = 0; i < size; i++)
    if (lower(name.at[i]) != word[i]) return 0;
  return 1;
}

// Windows reads `a\b` as two names, `a:b` as a stream of a, `secret~1` as a short name of another
// file, `a.` and `a ` as a, and a device's name, with any extension, as the device.
int is_ambiguous(Text name) {
  if (!windows_names || !name.size) return 0;
  char last = name.at[name.size - 1];
  if (last == '.' || last == ' ') return 1;
  for (u32 i = 0; i < name.size; i++)
    if (name.at[i] == '\\' || name.at[i] == ':' || name.at[i] == '~' || (u8)name.at[i] < ' ') return 1;
  Text stem = {name.at, 0};
  while (stem.size < name.size && name.at[stem.size] != '.') stem.size++;
  while (stem.size && name.at[stem.size - 1] == ' ') stem.size--;
  static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"};
  static const u8 lengths[] = {3, 3, 3, 3, 6, 7, 6};
  for (u32 i = 0; i < sizeof lengths; i++)
    if (is_word(stem, devices[i], lengths[i])) return 1;
  // com0 to com9 and lpt0 to lpt9, also with a superscript digit, which are two bytes
  Text port = {stem.at, 3};
  if (stem.size < 4 || !(is_word(port, "com", 3) || is_word(port, "lpt", 3))) return 0;
  return (stem.size == 4 && stem.at[3] >= '0' && stem.at[3] <= '9') ||
         (stem.size == 5 && (u8)stem.at[3] == 0xC2);
}

// ---- one rule against a path --------------------------------------------------------------------
//
// A rule is a nondeterministic automaton over the path's names. Its state is a set of bits: AT_PREFIX
// while the names so far are the beginning of its literal segments (how far is the path's depth), and
// AFTER(i) when those and i more segments are consumed. So only what follows a wildcard is limited.
// The state tells both whether the rule covers a path and whether it can cover one below it.

typedef u64 State;
#define AT_PREFIX 1ull
#define AFTER(i) (2ull << (i))
enum { MAX_AFTER = 60 };

typedef struct {
  u8 deny, tree, access;
  u32 mount;
  Text pattern;
  u32 literal;  // segments before the first one with a wildcard
  u32 count;    // segments in all
  Segment *segments;
} Rule;

static Rule *rules;
static u32 rule_count;
static int broken = 1;

static State complete(const Rule *rule) { return AFTER(rule->count - rule->literal); }

static State with_empty_matches(const Rule *rule, State state) {
  for (u32 i = 0; i < rule->count - rule->literal; i++)
    if ((state & AFTER(i)) && rule->segments[rule->literal + i].kind == ANY_DEPTH) state |= AFTER(i + 1);
  return state;
}

static State begin(const Rule *rule) {
  return with_empty_matches(rule, rule->literal ? AT_PREFIX : AFTER(0));
}

static int consumes(const Rule *rule, u32 segment, Text name) {
  const Segment *one = &rule->segments[segment];
  return rule->deny ? denies(one, name) : matches(one, name, 0);
}

static State step(const Rule *rule, State state, u32 depth, Text name) {
  if (!state) return 0;
  State next = rule->tree ? state & complete(rule) : 0;
  if ((state & AT_PREFIX) && consumes(rule, depth, name))
    next |= depth + 1 == rule->literal ? AFTER(0) : AT_PREFIX;
  for (u32 i = 0; i < rule->count - rule->literal; i++) {
    if (!(state & AFTER(i))) continue;
    if (rule->segments[rule->literal + i].kind == ANY_DEPTH) next |= AFTER(i);
    else if (consumes(rule, rule->literal + i, name)) next |= AFTER(i + 1);
  }
  return with_empty_matches(rule, next);
}

// The name that begins at `*at`, a slash; moves it to the next one.
static Text next_name(Text path, u32 *at) {
  u32 first = ++*at;
  while (*at < path.size && path.at[*at] != '/') ++*at;
  return (Text){path.at + first, *at - first};
}

static u32 parent_size(Text path) {
  u32 size = path.size;
  while (size && path.at[size - 1] != '/') size--;
  return size ? size - 1 : 0;
}

// Every rule's state at the directory asked for last: what is asked about next is mostly there too.
static struct { int known; u32 size, depth; char path[MAX_PATH]; State *states; } folder;

static void go_to_folder(Text path) {
  if (folder.known && folder.size == path.size && same(folder.path, path.at, path.size)) return;
  for (u32 i = 0; i < rule_count; i++) {
    State state = begin(&rules[i]);
    u32 depth = 0;
    for (u32 at = 0; at < path.size && state;) state = step(&rules[i], state, depth++, next_name(path, &at));
    folder.states[i] = state;
  }
  folder.depth = 0;
  for (u32 at = 0; at < path.size; next_name(path, &at)) folder.depth++;
  folder.size = path.size;
  copy(folder.path, path.at, path.size);
  folder.known = 1;
}

// The rule's state at a path whose parent `folder` is.
static State state_at(u32 rule, Text path) {
  if (!path.size) return folder.states[rule];
  u32 at = folder.size;
  return step(&rules[rule], folder.states[rule], folder.depth, next_name(path, &at));
}

// ---- all rules ------------------------------------------------------------------------------------

int is_under(Text path, Text base) {
  return path.size >= base.size && same(path.at, base.at, base.size) &&
         (path.size == base.size || path.at[base.size] == '/');
}

// Which allow rule is more specific; 0 if neither.
static int compare(const Rule *a, const Rule *b) {
  if (a->literal != b->literal) return a->literal > b->literal ? 1 : -1;
  if (a->count != b->count) return a->count > b->count ? 1 : -1;
  if (a->pattern.size != b->pattern.size) return a->pattern.size > b->pattern.size ? 1 : -1;
  return 0;
}

static Verdict decide(Text path) {
  Verdict verdict = {0, 0, -1, -1, -1};
  u8 denied = 0, below = 0;
  const Rule *best = 0;
  if (!broken) go_to_folder((Text){path.at, parent_size(path)});
  for (u32 i = 0; i < rule_count && !broken; i++)
    if (rules[i].deny && (state_at(i, path) & complete(&rules[i]))) denied |= rules[i].access;
  for (u32 i = 0; i < rule_count && !broken; i++) {
    const Rule *rule = &rules[i];
    if (rule->deny) continue;
    State state = state_at(i, path);
    const Mount *mount = &mounts[rule->mount];
    if ((state & ~complete(rule)) && (rule->access & ~denied)) {
      below = 1;
      int better = verdict.visible_mount < 0 || mount->path.size > mounts[verdict.visible_mount].path.size;
      if (better && is_under(path, mount->path)) verdict.visible_mount = (int)rule->mount;
    }
    if (!(state & complete(rule))) continue;
    int order = best ? compare(rule, best) : 1;
    if (order > 0) {
      best = rule;
      verdict.access = rule->access;
      verdict.mount = (int)rule->mount;
      verdict.rule = (int)i;
    } else if (order == 0) {
      verdict.access |= rule->access;
      if (rule->access & WRITE) verdict.mount = (int)rule->mount;
    }
  }
  verdict.access &= ~denied;
  if (!verdict.access) verdict.mount = -1;
  // The root is there even if nothing is in it.
  verdict.visible = !verdict.access && (below || !path.size);
  return verdict;
}

Verdict judge(Text path) {
  for (u32 i = 0; i < mount_count && !broken; i++)
    if (mounts[i].uniform && is_under(path, mounts[i].path))
      return (Verdict){mounts[i].access, 0, (int)i, -1, (int)(rule_count + i)};
  // A name is mostly asked about several times in a row: listed, looked at, opened.
  static struct { int known; u32 size; char path[MAX_PATH]; Verdict verdict; } last;
  if (last.known && last.size == path.size && same(last.path, path.at, path.size)) return last.verdict;
  last.verdict = decide(path);
  last.known = path.size <= MAX_PATH;
  last.size = path.size;
  if (last.known) copy(last.path, path.at, path.size);
  return last.verdict;
}

int alike(Text a, Text b) {
  u32 mark = scratch_mark();
  State *states = scratch(rule_count * (u32)sizeof *states + 1);
  go_to_folder((Text){a.at, parent_size(a)});
  u32 depth = folder.depth, differ = 0;
  for (u32 i = 0; i < rule_count; i++) states[i] = state_at(i, a);
  go_to_folder((Text){b.at, parent_size(b)});
  for (u32 i = 0; i < rule_count && !differ; i++) {
    State state = state_at(i, b);
    differ = state != states[i] || ((state & AT_PREFIX) && depth != folder.depth);
  }
  scratch_release(mark);
  return !differ;
}

// ---- reading them -----------------------------------------------------------------------------------

// "/a/b" without empty, `.` or `..` names; "/" is the root.
static int is_pattern(Text text) {
  if (!text.size || text.at[0] != '/' || text.size > MAX_PATH) return 0;
  for (u32 at = 0; text.size > 1 && at < text.size;) {
    Text name = next_name(text, &at);
    if (!name.size || name.size > MAX_NAME) return 0;
    if (name.at[0] == '.' && (name.size == 1 || (name.size == 2 && name.at[1] == '.'))) return 0;
  }
  return 1;
}

static SegmentKind kind_of(Text text) {
  if (text.size == 2 && text.at[0] == '*' && text.at[1] == '*') return ANY_DEPTH;
  for (u32 i = 0; i < text.size; i++)
    if (text.at[i] == '*' || text.at[i] == '?') return WILD;
  return LITERAL;
}

// "<letters> <mount> <pattern>"; returns whether it is a rule.
static int read_rule(Text text, Rule *rule) {
  u32 at = 0, literal = 0, digits = 0;
  *rule = (Rule){0};
  for (; at < text.size && text.at[at] != ' '; at++) {
    switch (text.at[at]) {
      case 'r': rule->access |= READ; break;
      case 'w': rule->access |= WRITE; break;
      case 'd': rule->deny = rule->tree = 1; break;
      case 't': rule->tree = 1; break;
      case 'l': literal = 1; break;
      default: return 0;
    }
  }
  if (!rule->access) return 0;
  for (at++; at < text.size && text.at[at] >= '0' && text.at[at] <= '9' && digits < 6; at++, digits++)
    rule->mount = rule->mount * 10 + (u32)(text.at[at] - '0');
  if (!digits || at >= text.size || text.at[at] != ' ') return 0;
  if (!rule->deny && rule->mount >= mount_count) return 0;
  at++;
  Text pattern = {text.at + at, text.size - at};
  if (!is_pattern(pattern)) return 0;
  if (pattern.size == 1) pattern.size = 0;
  char *own = keep(pattern.size + 1);
  copy(own, pattern.at, pattern.size);
  rule->pattern = pattern = (Text){own, pattern.size};
  for (u32 i = 0; i < pattern.size; i++) rule->count += pattern.at[i] == '/';
  rule->segments = keep(rule->count * (u32)sizeof(Segment) + 1);
  u32 count = 0, literal_size = 0, only_literal = 1;
  for (u32 next = 0; next < pattern.size; count++) {
    Text name = next_name(pattern, &next);
    SegmentKind kind = literal ? LITERAL : kind_of(name);
    rule->segments[count] = (Segment){name, kind};
    only_literal &= kind == LITERAL;
    if (!only_literal) continue;
    rule->literal++;
    literal_size = next;
  }
  if (rule->count - rule->literal > MAX_AFTER) return 0;
  return rule->deny || is_under((Text){own, literal_size}, mounts[rule->mount].path);
}

static int read_rules(Text text) {
  u32 at = 0;
  for (; at < text.size && text.at[at]; at++) {
    if (text.at[at] == 'f') fold_case = 1;
    else if (text.at[at] == 'w') windows_names = 1;
    else if (text.at[at] == 'u') uses_told = FIRST_USES;
    else if (text.at[at] == 'a') uses_told = ALL_USES;
    else return 0;
  }
  if (at++ >= text.size || text.at[text.size - 1]) return 0;
  u32 count = 0;
  for (u32 i = at; i < text.size; i++) count += !text.at[i];
  rules = keep(count * (u32)sizeof *rules + 1);
  for (; rule_count < count; rule_count++) {
    u32 end = at;
    while (text.at[end]) end++;
    if (!read_rule((Text){text.at + at, end - at}, &rules[rule_count])) return 0;
    at = end + 1;
  }
  return 1;
}

static int is_uniform(u32 index) {
  Mount *mount = &mounts[index];
  const Rule *own = 0;
  for (u32 i = 0; i < rule_count && !own; i++) {
    const Rule *rule = &rules[i];
    int fits = !rule->deny && rule->tree && rule->mount == index && rule->literal == rule->count;
    if (fits && rule->pattern.size == mount->path.size) own = rule;
  }
  if (!own) return 0;
  go_to_folder((Text){mount->path.at, parent_size(mount->path)});
  for (u32 i = 0; i < rule_count; i++) {
    if (&rules[i] == own || !state_at(i, mount->path)) continue;
    if (rules[i].deny || compare(&rules[i], own) >= 0) return 0;
  }
  for (u32 i = 0; i < mount_count; i++)
    if (i != index && is_under(mounts[i].path, mount->path)) return 0;
  mount->access = own->access;
  return 1;
}

void set_rules(Text text) {
  broken = !read_rules(text);
  folder.states = keep(rule_count * (u32)sizeof *folder.states + 1);
  // Where the rest of a path is left to the runtime, where its links led is not known.
  for (u32 i = 0; i < mount_count && !broken && uses_told != ALL_USES; i++)
    mounts[i].uniform = (u8)is_uniform(i);
}
