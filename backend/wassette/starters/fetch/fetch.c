// Pages from the web. What the tools do is in fetch.wit.

#include "../common/html.h"

AFTER(fetch, "fetch")
AFTER(html_to_markdown, "html-to-markdown")

enum { MAX_BODY = 5 << 20, MAX_REDIRECTS = 5, MAX_LENGTH = 1000000 };

typedef struct {
  Text url;
  u16 status;
  Text type;
  OptionalText title;
  Text content;
  u32 length;
  struct { u8 is_some; u32 value; } next;
  u8 incomplete;
} Page;
typedef struct { u8 is_error; union { Text error; Page page; } value; } PageResult;

static int mentions(Text text, Text word) {
  for (u32 i = 0; i + word.size <= text.size; i++)
    if (same_letters(part(text, i, i + word.size), word)) return 1;
  return 0;
}

// windows-1252, which is what pages mean that say ISO 8859-1.
static Text from_latin(Text bytes) {
  static const u16 high[32] = {
      0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
      0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
      0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178};
  Buffer out = {0};
  for (u32 i = 0; i < bytes.size; i++) {
    u8 c = bytes.data[i];
    add_character(&out, c >= 0x80 && c < 0xA0 ? high[c - 0x80] : c);
  }
  return text_of(out);
}

static Text text_of_body(const Response *response) {
  Text head = part(response->body, 0, response->body.size < 2048 ? response->body.size : 2048);
  int latin = mentions(response->type, TEXT("iso-8859-1")) || mentions(response->type, TEXT("windows-1252"));
  if (!latin && !mentions(response->type, TEXT("charset=")))
    latin = mentions(head, TEXT("charset=iso-8859-1")) || mentions(head, TEXT("charset=\"iso-8859-1")) ||
            mentions(head, TEXT("charset=windows-1252")) || mentions(head, TEXT("charset=\"windows-1252"));
  return latin ? from_latin(response->body) : as_utf8(response->body);
}

static int is_text(Text type, Text body) {
  if (!type.size) return find_in(body, (Text){(const u8 *)"", 1}, 0) == body.size;
  return mentions(type, TEXT("text/")) || mentions(type, TEXT("json")) || mentions(type, TEXT("xml")) ||
         mentions(type, TEXT("javascript")) || mentions(type, TEXT("yaml")) || mentions(type, TEXT("form-urlencoded"));
}

static int is_html(Text type, Text body) {
  if (mentions(type, TEXT("html"))) return 1;
  return !type.size && mentions(part(body, 0, body.size < 512 ? body.size : 512), TEXT("<html"));
}

static Text refusal(Text what, Text url) { return joined3(url, TEXT(": "), what); }

// The characters from `start` on, at most `most`; how many there are in all.
static Text window(Text text, u32 start, u32 most, u32 *all) {
  u32 at = 0, count = 0, from = text.size, to = text.size;
  while (at < text.size) {
    if (count == start) from = at;
    if (count >= start && count - start == most) to = to < at ? to : at;
    next_character(text, &at);
    count++;
  }
  *all = count;
  if (to < from) to = from;
  return part(text, from, to);
}

static int get_page(Text given, Url *url, Response *response, Text *error) {
  static const Text accept = TEXT("text/html, text/markdown, text/plain, application/json, */*;q=0.5");
  if (given.size > 8192 || !parse_url(given, url)) return *error = TEXT("url: is not an http or https URL"), 0;
  for (u32 i = 0;; i++) {
    if (!http_get(url, accept, MAX_BODY, response, error)) return *error = refusal(*error, url_text(url)), 0;
    u32 status = response->status;
    int leads_on = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!leads_on || !response->location.size) return 1;
    if (i == MAX_REDIRECTS) return *error = refusal(TEXT("leads on and on"), url_text(url)), 0;
    Text from = url_text(url);
    Base base = base_of(from);
    Text to = resolve_url(&base, as_utf8(response->location));
    if (to.size > 8192 || !parse_url(to, url)) return *error = refusal(TEXT("leads to what is not an http or https URL"), from), 0;
  }
}

EXPORT("fetch")
PageResult *fetch(const u8 *given, u32 size, u32 has_length, u32 length, u32 has_start, u32 start,
                  u32 has_raw, u32 raw, u32 has_whole, u32 whole) {
  static PageResult answer;
  answer.is_error = 1;
  if (!has_length) length = 5000;
  if (!has_start) start = 0;
  if (!length || length > MAX_LENGTH) return answer.value.error = TEXT("max-length: must be 1 to 1000000"), &answer;
  Url url;
  Response response;
  if (!get_page((Text){given, size}, &url, &response, &answer.value.error)) return &answer;
  Text where = url_text(&url);
  if (response.status >= 400) {
    Buffer out = {0};
    add_text(&out, where), ADD(&out, ": the server answered with status "), add_decimal(&out, response.status);
    return answer.value.error = text_of(out), &answer;
  }
  if (!is_text(response.type, response.body))
    return answer.value.error = joined3(where, TEXT(": is no text but "), as_utf8(response.type)), &answer;
  Text content = text_of_body(&response), title = {0, 0};
  if (!(has_raw && raw) && is_html(response.type, content)) content = markdown_of(content, where, has_whole && whole, &title);
  Page page = {.url = where, .status = (u16)response.status, .type = as_utf8(response.type),
               .title = {title.size > 0, title}, .incomplete = (u8)response.cut};
  page.content = window(content, start, length, &page.length);
  if ((u64)start + length < page.length) page.next.is_some = 1, page.next.value = start + length;
  answer.is_error = 0;
  answer.value.page = page;
  return &answer;
}

EXPORT("html-to-markdown")
Result *html_to_markdown(const u8 *html, u32 size, u32 has_base, const u8 *base, u32 base_size,
                         u32 has_whole, u32 whole) {
  Text title;
  if (size > MAX_BODY) return return_error(TEXT("html: is larger than 5 MiB"));
  Text text = markdown_of((Text){html, size}, has_base ? (Text){base, base_size} : TEXT(""), has_whole && whole, &title);
  if (text.size > MAX_RESULT - 1024) return return_error(TEXT("html: gives more than 16 MiB"));
  return return_ok(text);
}
