// HTML to Markdown, in one pass over the tags. It takes anything: what is no HTML is text.
#pragma once
#include "http.h"

enum { HTML_MAX_DEPTH = 32, HTML_MAX_LINK = 2048, HTML_MAX_WRITTEN = 8 << 20, HTML_ONE_STEP = 256 << 10,
       HTML_MAX_BASE = 1024 };

typedef struct { Text name; Text attributes; int closes; u32 start, end; } Tag;

typedef struct {
  Base base;
  Buffer out;     // has room for all that is written: it never moves
  u32 breaks;     // line breaks that are due before the next text
  int space;      // a space is due
  int line_start; // nothing is on the line but its prefix
  u32 pre;        // how deep in <pre>
  u32 quotes, last_quotes;  // how deep in <blockquote>, and how deep the last text was
  struct { u8 ordered; u32 number; } lists[HTML_MAX_DEPTH];
  u32 list_count, list_extra;  // extra: those that are too deep to be counted
  int item;       // a list marker is due
  u8 link[3 * (HTML_MAX_LINK + HTML_MAX_BASE)];  // where the link that is open leads
  u32 link_size, link_start;  // where its text begins; 0 if none is open
  u32 strong, emphasis, code;  // the same of these
  u32 table, cells, rows;
  Buffer title;
  int in_title;
} Html;

static inline int is_tag_name(u8 c) { return is_upper(c) || is_lower(c) || is_digit(c) || c == '-' || c == ':'; }

// The tag that begins at `at` with a `<`; false if it is none. Comments are tags without a name. No
// byte is looked at again and again: what does not end is found to be so once (`last_end`).
static u32 last_end;
static inline void note_last_end(Text in) {
  for (last_end = in.size; last_end && in.data[last_end - 1] != '>'; last_end--) {}
}
static inline int read_tag(Text in, u32 at, Tag *tag) {
  *tag = (Tag){.start = at};
  Text rest = part(in, at, in.size);
  if (at >= last_end) return 0;
  if (starts_with(rest, TEXT("<!--"))) {
    u32 end = find_in(in, TEXT("-->"), at + 4);
    tag->end = end == in.size ? in.size : end + 3;
    return 1;
  }
  u32 i = at + 1;
  if (i < in.size && (in.data[i] == '!' || in.data[i] == '?')) {
    while (i < in.size && in.data[i] != '>') i++;
    tag->end = i < in.size ? i + 1 : i;
    return 1;
  }
  if (i < in.size && in.data[i] == '/') tag->closes = 1, i++;
  if (i >= in.size || !(is_upper(in.data[i]) || is_lower(in.data[i]))) return 0;
  u32 start = i;
  while (i < in.size && is_tag_name(in.data[i])) i++;
  tag->name = part(in, start, i);
  start = i;
  u8 quote = 0;
  for (; i < in.size; i++) {
    u8 c = in.data[i];
    if (quote) {
      if (c == quote) quote = 0;
    } else if ((c == '"' || c == '\'') && in.data[i - 1] == '=') {
      quote = c;
    } else if (c == '>') {
      break;
    }
  }
  if (i >= in.size) {  // a quote that does not end: up to the next >
    for (i = start; i < in.size && in.data[i] != '>'; i++) {}
    if (i >= in.size) return 0;
  }
  tag->attributes = part(in, start, i);
  tag->end = i + 1;
  return 1;
}

static inline int is_named(Text name, const char *names) {
  for (u32 at = 0; names[at];) {
    u32 end = at;
    while (names[end] && names[end] != ' ') end++;
    if (same_letters(name, (Text){(const u8 *)names + at, end - at})) return 1;
    at = names[end] ? end + 1 : end;
  }
  return 0;
}

static inline int attribute(Text attributes, Text name, Text *value) {
  for (u32 i = 0; i < attributes.size;) {
    while (i < attributes.size && (attributes.data[i] <= ' ' || attributes.data[i] == '/')) i++;
    u32 start = i;
    while (i < attributes.size && attributes.data[i] > ' ' && attributes.data[i] != '=') i++;
    Text found = part(attributes, start, i);
    while (i < attributes.size && attributes.data[i] <= ' ') i++;
    *value = (Text){attributes.data, 0};
    if (i < attributes.size && attributes.data[i] == '=') {
      i++;
      while (i < attributes.size && attributes.data[i] <= ' ') i++;
      u8 quote = i < attributes.size ? attributes.data[i] : 0;
      if (quote == '"' || quote == '\'') {
        start = ++i;
        while (i < attributes.size && attributes.data[i] != quote) i++;
        *value = part(attributes, start, i);
        if (i < attributes.size) i++;
      } else {
        start = i;
        while (i < attributes.size && attributes.data[i] > ' ') i++;
        *value = part(attributes, start, i);
      }
    } else if (i == start) {
      i++;
    }
    if (same_letters(found, name)) return 1;
  }
  return 0;
}

// A character that is written as `&…;`; 0 if it is none. `*at` moves behind it.
static inline u32 entity(Text in, u32 *at) {
  static const struct { Text name; u32 c; } names[] = {
      {TEXT("amp"), '&'}, {TEXT("lt"), '<'}, {TEXT("gt"), '>'}, {TEXT("quot"), '"'}, {TEXT("apos"), '\''},
      {TEXT("nbsp"), 0xA0}, {TEXT("copy"), 0xA9}, {TEXT("reg"), 0xAE}, {TEXT("trade"), 0x2122},
      {TEXT("mdash"), 0x2014}, {TEXT("ndash"), 0x2013}, {TEXT("hellip"), 0x2026}, {TEXT("bull"), 0x2022},
      {TEXT("lsquo"), 0x2018}, {TEXT("rsquo"), 0x2019}, {TEXT("ldquo"), 0x201C}, {TEXT("rdquo"), 0x201D},
      {TEXT("laquo"), 0xAB}, {TEXT("raquo"), 0xBB}, {TEXT("middot"), 0xB7}, {TEXT("times"), 0xD7},
      {TEXT("divide"), 0xF7}, {TEXT("deg"), 0xB0}, {TEXT("plusmn"), 0xB1}, {TEXT("frac12"), 0xBD},
      {TEXT("para"), 0xB6}, {TEXT("sect"), 0xA7}, {TEXT("euro"), 0x20AC}, {TEXT("pound"), 0xA3},
      {TEXT("yen"), 0xA5}, {TEXT("cent"), 0xA2}, {TEXT("larr"), 0x2190}, {TEXT("rarr"), 0x2192},
      {TEXT("uarr"), 0x2191}, {TEXT("darr"), 0x2193}, {TEXT("szlig"), 0xDF}, {TEXT("auml"), 0xE4},
      {TEXT("ouml"), 0xF6}, {TEXT("uuml"), 0xFC}, {TEXT("Auml"), 0xC4}, {TEXT("Ouml"), 0xD6},
      {TEXT("Uuml"), 0xDC}, {TEXT("eacute"), 0xE9}, {TEXT("egrave"), 0xE8}, {TEXT("agrave"), 0xE0},
      {TEXT("aacute"), 0xE1}, {TEXT("iacute"), 0xED}, {TEXT("oacute"), 0xF3}, {TEXT("uacute"), 0xFA},
      {TEXT("ntilde"), 0xF1}, {TEXT("ccedil"), 0xE7}, {TEXT("aring"), 0xE5}, {TEXT("oslash"), 0xF8},
      {TEXT("aelig"), 0xE6}, {TEXT("zwnj"), 0x200C}, {TEXT("zwj"), 0x200D}, {TEXT("shy"), 0xAD},
      {TEXT("ensp"), ' '}, {TEXT("emsp"), ' '}, {TEXT("thinsp"), ' '}, {TEXT("infin"), 0x221E},
      {TEXT("ne"), 0x2260}, {TEXT("le"), 0x2264}, {TEXT("ge"), 0x2265}, {TEXT("check"), 0x2713},
  };
  u32 start = *at + 1, end = start;
  while (end < in.size && end - start < 10 && (is_tag_name(in.data[end]) || in.data[end] == '#')) end++;
  if (end >= in.size || in.data[end] != ';' || end == start) return 0;
  Text name = part(in, start, end);
  u32 c = 0;
  if (name.data[0] == '#') {
    int hex = name.size > 1 && (name.data[1] | 32) == 'x';
    for (u32 i = hex ? 2 : 1; i < name.size; i++) {
      int digit = hex_value(name.data[i]);
      if (digit < 0 || (!hex && digit > 9) || c > 0x10FFFF) return 0;
      c = c * (hex ? 16 : 10) + (u32)digit;
    }
    if (!c || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
    if (c < 0x20 && c != '\n' && c != '\t') c = ' ';
  } else {
    for (u32 i = 0; i < COUNT(names) && !c; i++)
      if (same(name, names[i].name)) c = names[i].c;
  }
  if (c) *at = end + 1;
  return c;
}

static inline Text decoded(Text text) {
  Buffer out = {0};
  for (u32 at = 0; at < text.size;) {
    u32 c = text.data[at] == '&' ? entity(text, &at) : 0;
    if (c) add_character(&out, c);
    else add(&out, text.data[at++]);
  }
  return text_of(out);
}

// ---- writing ----

static inline void add_prefix(Html *html) {
  for (u32 i = 0; i < html->quotes && i < HTML_MAX_DEPTH; i++) ADD(&html->out, "> ");
  u32 indent = html->list_count ? html->list_count - 1 : 0;
  for (u32 i = 0; i < indent; i++) html->lists[i].ordered ? ADD(&html->out, "   ") : ADD(&html->out, "  ");
  if (!html->list_count) return;
  if (html->item) {
    if (html->lists[indent].ordered) add_decimal(&html->out, html->lists[indent].number), ADD(&html->out, ". ");
    else ADD(&html->out, "- ");
    html->item = 0;
  } else {
    html->lists[indent].ordered ? ADD(&html->out, "   ") : ADD(&html->out, "  ");
  }
}

static inline void want_breaks(Html *html, u32 count) {
  if (html->table) {  // a table's row is one line
    html->space = 1;
    return;
  }
  if (html->breaks < count) html->breaks = count;
  html->space = 0;
}

// Writes the line breaks and the space that are due.
static inline void settle(Html *html) {
  if (html->breaks || !html->out.size) {
    if (html->out.size) {
      while (html->out.size && html->out.data[html->out.size - 1] == ' ') html->out.size--;
      for (u32 i = 0; i < html->breaks; i++) {
        add(&html->out, '\n');
        if (i + 1 < html->breaks && html->quotes && html->last_quotes) add(&html->out, '>');
      }
    }
    add_prefix(html);
    html->last_quotes = html->quotes;
    html->breaks = 0;
    html->space = 0;
    html->line_start = 1;
  }
  if (html->space && !html->line_start) add(&html->out, ' ');
  html->space = 0;
}

static inline void put_character(Html *html, u32 c) {
  if (html->in_title) {
    if (html->title.size < 1000) add_character(&html->title, c <= ' ' ? ' ' : c);
    return;
  }
  if (html->pre) {
    if (c == '\r') return;
    if (c == '\n') {
      settle(html);
      add(&html->out, '\n');
      add_prefix(html);
      return;
    }
    settle(html);
    add_character(&html->out, c);
    html->line_start = 0;
    return;
  }
  if (c == ' ' || (c >= 9 && c <= 13)) {
    html->space = 1;
    return;
  }
  settle(html);
  if (html->table && c == '|') add(&html->out, '\\');
  add_character(&html->out, c);
  html->line_start = 0;
}

// Opens and closes what is marked with the same text before and after, such as ** or `.
static inline void mark(Html *html, u32 *start, int closes, Text sign) {
  if (html->pre || html->in_title) return;
  if (!closes) {
    if (*start) return;
    settle(html);
    add_text(&html->out, sign);
    *start = html->out.size;
    html->line_start = 1;  // no space after it
    return;
  }
  if (!*start) return;
  if (html->out.size == *start) {  // nothing in it
    html->out.size -= sign.size;
  } else if (html->breaks) {
    add_text(&html->out, sign);
  } else {
    add_text(&html->out, sign);
    html->line_start = 0;
  }
  *start = 0;
}

static inline void close_marks(Html *html) {
  mark(html, &html->code, 1, TEXT("`"));
  mark(html, &html->emphasis, 1, TEXT("*"));
  mark(html, &html->strong, 1, TEXT("**"));
}

static inline void close_link(Html *html) {
  if (!html->link_start) return;
  if (html->out.size == html->link_start) {
    html->out.size--;
  } else {
    ADD(&html->out, "]("), add_text(&html->out, (Text){html->link, html->link_size}), add(&html->out, ')');
    html->line_start = 0;
  }
  html->link_start = 0;
}

static inline Text link_text(Html *html, Text reference) {
  if (reference.size > HTML_MAX_LINK) return TEXT("");
  Text url = resolve_url(&html->base, trimmed(decoded(reference)));
  Buffer out = {0};
  for (u32 i = 0; i < url.size; i++) {
    u8 c = url.data[i];
    if (c <= ' ' || c == '(' || c == ')' || c == '<' || c == '>') add(&out, '%'), add_hex(&out, c, 2);
    else add(&out, c);
  }
  return text_of(out);
}

static inline void end_row(Html *html) {
  if (!html->cells) return;
  html->space = 0;
  settle(html);
  ADD(&html->out, " |\n");
  if (!html->rows++) {
    add(&html->out, '|');
    for (u32 i = 0; i < html->cells; i++) ADD(&html->out, " --- |");
    ADD(&html->out, "\n");
  }
  html->cells = 0;
  html->line_start = 1;
}

static inline void end_table(Html *html) {
  end_row(html);
  html->table = html->rows = 0;
  if (html->out.size && html->out.data[html->out.size - 1] == '\n') html->out.size--;
  html->line_start = 0;
  want_breaks(html, 2);
}

static inline void put_tag(Html *html, const Tag *tag) {
  Text name = tag->name, value;
  int closes = tag->closes;
  if (is_named(name, "title")) {
    html->in_title = !closes && !html->title.size;
    return;
  }
  if (html->in_title) return;
  if (html->pre && !is_named(name, "pre br")) return;
  u8 second = name.size == 2 ? name.data[1] : 0;
  if (name.size == 2 && to_lower(name.data[0]) == 'h' && second >= '1' && second <= '6') {
    close_marks(html), close_link(html);
    want_breaks(html, 2);
    if (closes || html->table) return;
    settle(html);
    for (u8 i = '0'; i < second; i++) add(&html->out, '#');
    add(&html->out, ' ');
    html->line_start = 1;
  } else if (is_named(name, "br")) {
    if (html->pre) put_character(html, '\n');
    else want_breaks(html, 1);
  } else if (is_named(name, "hr")) {
    if (html->table) return;
    want_breaks(html, 2), settle(html), ADD(&html->out, "---"), want_breaks(html, 2);
  } else if (is_named(name, "pre")) {
    if (html->table) return;
    if (!closes && !html->pre) {
      close_marks(html), close_link(html);
      want_breaks(html, 2), settle(html), ADD(&html->out, "```\n"), add_prefix(html);
      html->pre = 1;
    } else if (closes && html->pre) {
      html->pre = 0;
      while (html->out.size && html->out.data[html->out.size - 1] <= ' ') html->out.size--;
      html->breaks = 1, settle(html), ADD(&html->out, "```");
      want_breaks(html, 2);
    }
  } else if (is_named(name, "strong b")) {
    mark(html, &html->strong, closes, TEXT("**"));
  } else if (is_named(name, "em i")) {
    mark(html, &html->emphasis, closes, TEXT("*"));
  } else if (is_named(name, "code kbd samp tt")) {
    mark(html, &html->code, closes, TEXT("`"));
  } else if (is_named(name, "a")) {
    close_link(html);
    if (closes || !attribute(tag->attributes, TEXT("href"), &value)) return;
    Text link = link_text(html, value);
    if (!link.size || link.size > sizeof html->link || starts_with(link, TEXT("javascript:"))) return;
    __builtin_memcpy(html->link, link.data, html->link_size = link.size);
    settle(html);
    add(&html->out, '[');
    html->link_start = html->out.size;
    html->line_start = 1;
  } else if (is_named(name, "img")) {
    Text source;
    if (!attribute(tag->attributes, TEXT("alt"), &value) || !value.size) return;
    if (!attribute(tag->attributes, TEXT("src"), &source) || starts_with(source, TEXT("data:"))) return;
    settle(html);
    ADD(&html->out, "!["), add_text(&html->out, trimmed(decoded(part(value, 0, value.size < 1000 ? value.size : 1000))));
    ADD(&html->out, "]("), add_text(&html->out, link_text(html, source)), add(&html->out, ')');
    html->line_start = 0;
  } else if (is_named(name, "ul ol")) {
    close_marks(html), close_link(html);
    if (html->table) return;
    if (closes) {
      if (html->list_extra) html->list_extra--;
      else if (html->list_count) html->list_count--;
      html->item = 0;
      want_breaks(html, html->list_count ? 1 : 2);
    } else if (html->list_count == HTML_MAX_DEPTH) {
      html->list_extra++;
    } else {
      want_breaks(html, html->list_count ? 1 : 2);
      html->lists[html->list_count].ordered = is_named(name, "ol");
      html->lists[html->list_count++].number = 0;
    }
  } else if (is_named(name, "li")) {
    close_marks(html), close_link(html);
    want_breaks(html, 1);
    if (closes || !html->list_count) return;
    html->lists[html->list_count - 1].number++;
    html->item = 1;
  } else if (is_named(name, "blockquote")) {
    close_marks(html), close_link(html);
    if (html->table) return;
    want_breaks(html, 2);
    if (!closes) {
      html->quotes++;
    } else if (html->quotes) {
      html->quotes--;
    }
  } else if (is_named(name, "table")) {
    close_marks(html), close_link(html);
    if (!closes && !html->table) {
      want_breaks(html, 2);
      settle(html);
      html->table = 1, html->rows = html->cells = 0;
    } else if (!closes) {
      html->table++;
    } else if (html->table > 1) {
      html->table--;
    } else if (html->table) {
      end_table(html);
    }
  } else if (is_named(name, "tr")) {
    close_marks(html), close_link(html);
    if (html->table == 1) end_row(html);
  } else if (is_named(name, "td th")) {
    close_marks(html), close_link(html);
    if (html->table != 1 || closes) return;
    html->space = 0;
    html->cells++ ? ADD(&html->out, " | ") : ADD(&html->out, "| ");
    html->line_start = 1;
  } else if (is_named(name, "dt dd figcaption option summary tbody thead caption")) {
    want_breaks(html, 1);
  } else if (is_named(name, "p div section article main header footer nav aside form fieldset figure dl details address body")) {
    close_marks(html);
    // The text of a list item stays on its line.
    want_breaks(html, html->list_count || is_named(name, "div") ? 1 : 2);
  }
}

// What is not shown: goes behind its end.
static inline u32 skip_element(Text in, const Tag *tag) {
  u32 depth = 1, at = tag->end;
  if (is_named(tag->name, "script style noscript template textarea")) {  // no tags in it, but its end
    for (; at + 2 + tag->name.size < in.size; at++)
      if (in.data[at] == '<' && in.data[at + 1] == '/' &&
          same_letters(part(in, at + 2, at + 2 + tag->name.size), tag->name)) {
        while (at < in.size && in.data[at] != '>') at++;
        return at < in.size ? at + 1 : at;
      }
    return in.size;
  }
  while (at < in.size) {
    Tag inner;
    if (in.data[at] != '<' || !read_tag(in, at, &inner)) {
      at++;
      continue;
    }
    at = inner.end;
    if (!same_letters(inner.name, tag->name)) continue;
    if (inner.closes ? !--depth : !ends_with(inner.attributes, TEXT("/")) && ++depth > 1000) return at;
  }
  return in.size;
}

static inline int is_hidden(const Tag *tag, int whole) {
  if (tag->closes) return 0;
  if (is_named(tag->name, "script style noscript template svg math iframe object canvas audio video select textarea button")) return 1;
  if (!whole && is_named(tag->name, "nav footer aside")) return 1;
  return 0;
}

// Where the element begins whose content is the page's, and its end; all of it if there is none.
static inline Text main_content(Text in) {
  for (u32 at = 0; at < in.size; at++) {
    Tag tag;
    if (in.data[at] != '<' || !read_tag(in, at, &tag)) continue;
    if (!tag.closes && is_hidden(&tag, 1)) {
      at = skip_element(in, &tag) - 1;
      continue;
    }
    at = tag.end - 1;
    Text role;
    int is_main = is_named(tag.name, "main") ||
                  (is_named(tag.name, "div section article") && attribute(tag.attributes, TEXT("role"), &role) && same_letters(role, TEXT("main")));
    if (!is_main || tag.closes) continue;
    u32 end = skip_element(in, &tag);
    if (end - tag.end > 200) return part(in, tag.end, end);
  }
  return in;
}

static inline void convert(Html *html, Text in, int whole) {
  for (u32 at = 0; at < in.size && html->out.size < HTML_MAX_WRITTEN;) {
    Tag tag;
    if (in.data[at] == '<' && read_tag(in, at, &tag)) {
      u32 mark = arena_end;
      if (is_hidden(&tag, whole) && !html->in_title) at = skip_element(in, &tag);
      else put_tag(html, &tag), at = tag.end;
      arena_end = mark;
      continue;
    }
    u32 c = in.data[at] == '&' ? entity(in, &at) : 0;
    put_character(html, c ? c : next_character(in, &at));
  }
}

// The page as Markdown, and its title.
static inline Text markdown_of(Text in, Text base, int whole, Text *title) {
  static Html html;
  html = (Html){.base = base_of(base), .line_start = 1};
  if (html.base.origin.size + html.base.path.size > HTML_MAX_BASE) html.base = (Base){0};
  html.out = (Buffer){extend(HTML_MAX_WRITTEN + HTML_ONE_STEP), 0, HTML_MAX_WRITTEN + HTML_ONE_STEP};
  note_last_end(in);
  html.title = (Buffer){extend(2048), 0, 2048};
  Text body = whole ? in : main_content(in);
  if (body.data != in.data) {  // the title is outside of it
    for (u32 at = 0; at < in.size; at++) {
      Tag tag;
      if (in.data[at] != '<' || !read_tag(in, at, &tag)) continue;
      if (is_named(tag.name, "title") && !tag.closes) {
        Tag rest = tag;
        u32 end = tag.end;
        while (end < in.size && !(in.data[end] == '<' && read_tag(in, end, &rest))) end++;
        put_tag(&html, &tag);
        Text text = decoded(part(in, tag.end, end));
        for (u32 i = 0; i < text.size;) put_character(&html, next_character(text, &i));
        html.in_title = 0;
        break;
      }
      if (is_named(tag.name, "body")) break;
      at = tag.end - 1;
    }
  }
  note_last_end(body);
  convert(&html, body, whole);
  close_marks(&html), close_link(&html);
  if (html.table) html.table = 1, end_table(&html);
  if (html.pre) html.pre = 0, ADD(&html.out, "\n```");
  *title = trimmed((Text){html.title.data, html.title.size});
  return trimmed((Text){html.out.data, html.out.size});
}
