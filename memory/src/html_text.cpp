#include <wherry/core/text.hpp>
#include <wherry/memory/html_text.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace wherry::inline v0 {
namespace {

using name_and_text = std::pair<std::string_view, std::string_view>;

constexpr name_and_text references[]{
    {"amp", "&"},    {"lt", "<"},     {"gt", ">"},     {"quot", "\""},  {"apos", "'"},   {"nbsp", " "},
    {"ensp", " "},   {"emsp", " "},   {"thinsp", " "}, {"shy", ""},     {"zwnj", ""},    {"zwj", ""},
    {"ndash", "–"},  {"mdash", "—"},  {"hellip", "…"}, {"bull", "•"},   {"middot", "·"}, {"lsquo", "‘"},
    {"rsquo", "’"},  {"sbquo", "‚"},  {"ldquo", "“"},  {"rdquo", "”"},  {"bdquo", "„"},  {"laquo", "«"},
    {"raquo", "»"},  {"copy", "©"},   {"reg", "®"},    {"trade", "™"},  {"euro", "€"},   {"pound", "£"},
    {"yen", "¥"},    {"cent", "¢"},   {"sect", "§"},   {"para", "¶"},   {"deg", "°"},    {"micro", "µ"},
    {"plusmn", "±"}, {"times", "×"},  {"divide", "÷"}, {"minus", "−"},  {"frac12", "½"}, {"frac14", "¼"},
    {"frac34", "¾"}, {"sup2", "²"},   {"sup3", "³"},   {"larr", "←"},   {"rarr", "→"},   {"uarr", "↑"},
    {"darr", "↓"},   {"le", "≤"},     {"ge", "≥"},     {"ne", "≠"},     {"auml", "ä"},   {"ouml", "ö"},
    {"uuml", "ü"},   {"Auml", "Ä"},   {"Ouml", "Ö"},   {"Uuml", "Ü"},   {"szlig", "ß"},  {"euml", "ë"},
    {"iuml", "ï"},   {"aacute", "á"}, {"eacute", "é"}, {"iacute", "í"}, {"oacute", "ó"}, {"uacute", "ú"},
    {"Eacute", "É"}, {"agrave", "à"}, {"egrave", "è"}, {"igrave", "ì"}, {"ograve", "ò"}, {"ugrave", "ù"},
    {"acirc", "â"},  {"ecirc", "ê"},  {"icirc", "î"},  {"ocirc", "ô"},  {"ucirc", "û"},  {"ccedil", "ç"},
    {"Ccedil", "Ç"}, {"ntilde", "ñ"}, {"Ntilde", "Ñ"}, {"atilde", "ã"}, {"otilde", "õ"}, {"aring", "å"},
    {"Aring", "Å"},  {"aelig", "æ"},  {"AElig", "Æ"},  {"oslash", "ø"}, {"Oslash", "Ø"}, {"oelig", "œ"},
    {"iexcl", "¡"},  {"iquest", "¿"}};
constexpr std::size_t reference_bytes_max = 12;

/// Elements whose content is no text of the page.
constexpr std::array<std::string_view, 5> unseen{"script", "style", "title", "template", "textarea"};
constexpr std::array<std::string_view, 27> blocks{
    "p",  "div",  "section",  "article", "header",  "footer",  "main",       "nav",     "aside",
    "ul", "ol",   "dl",       "dt",      "dd",      "table",   "blockquote", "figure",  "figcaption",
    "hr", "form", "fieldset", "address", "details", "summary", "body",       "caption", "thead"};

template <std::size_t N>
bool is_in(std::array<std::string_view, N> const& all, std::string_view name) {
  return std::find(all.begin(), all.end(), name) != all.end();
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::optional<std::uint32_t> number_in(std::string_view digits) {
  std::uint32_t base = 10, value = 0;
  if (!digits.empty() && lower(digits.front()) == 'x') base = 16, digits.remove_prefix(1);
  if (digits.empty()) return std::nullopt;
  for (char const d : digits) {
    char const c = lower(d);
    std::uint32_t const digit = c >= '0' && c <= '9'   ? static_cast<std::uint32_t>(c - '0')
                                : c >= 'a' && c <= 'f' ? static_cast<std::uint32_t>(c - 'a' + 10)
                                                       : 99;
    if (digit >= base) return std::nullopt;
    value = std::min<std::uint32_t>(value * base + digit, 0x110000);
  }
  return value;
}

/// Reads the reference that begins at "&". Returns: how many bytes it took; 0: it is none.
std::size_t read_reference(std::string_view rest, std::string& out) {
  auto const end = rest.substr(0, reference_bytes_max).find(';');
  if (end == std::string_view::npos || end < 2) return 0;
  auto const name = rest.substr(1, end - 1);
  if (name.front() == '#') {
    auto const number = number_in(name.substr(1));
    if (!number) return 0;
    bool const is_character = *number > 0 && *number <= 0x10FFFF && (*number < 0xD800 || *number > 0xDFFF);
    append_utf8(out, is_character ? *number : 0xFFFD);
    return end + 1;
  }
  for (auto const& [known, text] : references)
    if (known == name) {
      out += text;
      return end + 1;
    }
  return 0;
}

struct tag {
  std::string name;  ///< In small letters.
  bool closes = false;
  std::string_view attributes;
  std::size_t bytes = 0;  ///< With both brackets.
};

/// The tag that begins at "<"; nullopt: it is text. A tag that does not end goes to the end.
std::optional<tag> read_tag(std::string_view rest) {
  tag out;
  std::size_t i = 1;
  if (i < rest.size() && rest[i] == '/') out.closes = true, ++i;
  if (i >= rest.size() || !is_letter(rest[i])) return std::nullopt;
  while (i < rest.size() && (is_letter(rest[i]) || (rest[i] >= '0' && rest[i] <= '9') || rest[i] == '-'))
    out.name += lower(rest[i++]);
  auto const attributes = i;
  char quote = 0;
  for (; i < rest.size(); ++i) {
    if (quote) {
      if (rest[i] == quote) quote = 0;
    } else if ((rest[i] == '"' || rest[i] == '\'') && rest[i - 1] == '=') {
      quote = rest[i];
    } else if (rest[i] == '>') {
      break;
    }
  }
  out.attributes = rest.substr(attributes, i - attributes);
  out.bytes = std::min(i + 1, rest.size());
  return out;
}

/// The value of alt="..."; only what is quoted.
std::string_view alternative_text(std::string_view attributes) {
  for (auto const* begin : {"alt=\"", "alt='"}) {
    std::string_view const opening(begin);
    auto const at = attributes.find(opening);
    if (at == std::string_view::npos || (at > 0 && !is_space(attributes[at - 1]))) continue;
    auto const value = attributes.substr(at + opening.size());
    auto const end = value.find(opening.back());
    if (end != std::string_view::npos) return value.substr(0, end);
  }
  return {};
}

/// Collects the text: blanks as one, lines where the structure wants them.
class page_text {
 public:
  /// One character, or a reference, of the page.
  void add(std::string_view text) {
    for (char const c : text) {
      if (verbatim_) {
        out_ += c;
      } else if (is_space(c)) {
        space_ = true;
      } else {
        if (at_line_start() && c == '#' && !in_heading_) out_ += '\\';  // no heading of the page
        if (space_ && !at_line_start()) out_ += ' ';
        space_ = false;
        out_ += c;
      }
    }
  }
  void line() {
    space_ = false;
    if (!at_line_start()) out_ += '\n';
  }
  void paragraph() {
    line();
    if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
  }
  void heading(std::size_t level) {
    paragraph();
    out_.append(level, '#') += ' ';
    in_heading_ = true;
  }
  void end_heading() {
    in_heading_ = false;
    while (!out_.empty() && out_.back() == ' ') out_.pop_back();
    while (!out_.empty() && out_.back() == '#') out_.pop_back();  // it was empty
    paragraph();
  }
  void mark(std::string_view text) {
    out_ += text;
    space_ = false;
  }
  void cell() {
    if (!at_line_start()) mark(" | ");
  }
  void preformatted(bool begins) {
    if (begins == verbatim_) return;
    if (begins) paragraph();
    if (!begins && !at_line_start()) out_ += '\n';
    out_ += "```\n";
    verbatim_ = begins;
    if (!begins) paragraph();
  }
  bool in_heading() const { return in_heading_; }
  bool verbatim() const { return verbatim_; }
  std::string take() {
    preformatted(false);
    while (!out_.empty() && is_space(out_.back())) out_.pop_back();
    if (!out_.empty()) out_ += '\n';
    return std::move(out_);
  }

 private:
  bool at_line_start() const { return out_.empty() || out_.back() == '\n' || (in_heading_ && out_.ends_with("# ")); }

  std::string out_;
  bool space_ = false;
  bool in_heading_ = false;
  bool verbatim_ = false;
};

void obey(page_text& page, tag const& t) {
  auto const& name = t.name;
  if (name == "pre") return page.preformatted(!t.closes);
  if (page.verbatim()) return;
  bool const is_heading = name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6';
  if (page.in_heading() && (is_heading || is_in(blocks, name))) page.end_heading();
  if (is_heading) {
    if (!t.closes) page.heading(static_cast<std::size_t>(name[1] - '0'));
  } else if (name == "br") {
    page.in_heading() ? page.add(" ") : page.line();
  } else if (name == "li" && !page.in_heading()) {
    page.line();
    if (!t.closes) page.mark("- ");
  } else if (name == "tr") {
    page.line();
  } else if ((name == "td" || name == "th") && !t.closes) {
    page.cell();
  } else if (name == "img") {
    std::string alt;
    for (auto rest = alternative_text(t.attributes); !rest.empty();) {
      auto const bytes = rest.front() == '&' ? read_reference(rest, alt) : 0;
      if (bytes == 0) alt += rest.front();
      rest.remove_prefix(std::max<std::size_t>(1, bytes));
    }
    if (!alt.empty()) page.add(' ' + alt + ' ');
  } else if (is_in(blocks, name)) {
    page.paragraph();
  }
}

/// Where the content of an unseen element ends: at its closing tag, else at the end. `text` begins behind the tag.
std::size_t end_of_unseen(std::string_view text, std::string_view name) {
  for (std::size_t i = text.find("</"); i != std::string_view::npos; i = text.find("</", i + 2)) {
    auto const found = text.substr(i + 2, name.size());
    if (found.size() == name.size() &&
        std::equal(found.begin(), found.end(), name.begin(), [](char a, char b) { return lower(a) == b; }))
      return i;
  }
  return text.size();
}

}  // namespace

std::string html_text(std::string_view html) {
  page_text page;
  for (std::size_t i = 0; i < html.size();) {
    auto const rest = html.substr(i);
    if (rest.front() == '&') {
      std::string text;
      auto const bytes = read_reference(rest, text);
      page.add(bytes ? std::string_view(text) : rest.substr(0, 1));
      i += std::max<std::size_t>(1, bytes);
    } else if (rest.starts_with("<!--")) {
      auto const end = rest.find("-->", 4);
      i = end == std::string_view::npos ? html.size() : i + end + 3;
    } else if (rest.starts_with("<!") || rest.starts_with("<?")) {
      auto const end = rest.find('>');
      i = end == std::string_view::npos ? html.size() : i + end + 1;
    } else if (auto const t = rest.front() == '<' ? read_tag(rest) : std::nullopt) {
      i += t->bytes;
      if (!t->closes && is_in(unseen, t->name))
        i += end_of_unseen(html.substr(i), t->name);
      else
        obey(page, *t);
    } else {
      page.add(rest.substr(0, 1));
      ++i;
    }
  }
  return page.take();
}

}  // namespace wherry::inline v0
