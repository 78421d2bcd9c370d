#include <wherry/http/fields.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool token_char(char c) noexcept {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool blank(char c) noexcept { return c == ' ' || c == '\t'; }

}  // namespace

http_fields& http_fields::add(std::string_view name, std::string_view value) {
  entries_.push_back({.at = text_.size(), .name_size = name.size(), .value_size = value.size()});
  text_ += name;
  text_ += value;
  return *this;
}

http_fields& http_fields::set(std::string_view name, std::string_view value) {
  // Either view may lie in our own text, which erase leaves where it is.
  std::string const kept_name(name), kept_value(value);
  erase(kept_name);
  return add(kept_name, kept_value);
}

std::size_t http_fields::erase(std::string_view name) {
  return std::erase_if(entries_, [&](entry const& e) { return same_name({text_.data() + e.at, e.name_size}, name); });
}

void http_fields::clear() noexcept {
  text_.clear();
  entries_.clear();
}

http_field http_fields::operator[](std::size_t i) const noexcept {
  auto const& e = entries_[i];
  return {{text_.data() + e.at, e.name_size}, {text_.data() + e.at + e.name_size, e.value_size}};
}

std::optional<std::string_view> http_fields::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (auto const field = (*this)[i]; same_name(field.name, name)) return field.value;
  return std::nullopt;
}

std::size_t http_fields::count(std::string_view name) const noexcept {
  std::size_t n = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) n += same_name((*this)[i].name, name);
  return n;
}

bool http_fields::lists(std::string_view name, std::string_view token) const noexcept {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    auto const field = (*this)[i];
    if (!same_name(field.name, name)) continue;
    for (auto rest = field.value; !rest.empty();) {
      auto const comma = std::min(rest.find(','), rest.size());
      auto item = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (!item.empty() && blank(item.front())) item.remove_prefix(1);
      while (!item.empty() && blank(item.back())) item.remove_suffix(1);
      if (same_name(item, token)) return true;
    }
  }
  return false;
}

bool http_fields::valid_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), token_char);
}

bool http_fields::valid_value(std::string_view value) noexcept {
  if (!value.empty() && (blank(value.front()) || blank(value.back()))) return false;
  return std::all_of(value.begin(), value.end(), [](char c) {
    auto const b = static_cast<unsigned char>(c);
    return b == '\t' || (b >= 0x20 && b != 0x7F);
  });
}

bool http_fields::same_name(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string> http_fields::first_invalid() const {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (auto const field = (*this)[i]; !valid_name(field.name) || !valid_value(field.value))
      return std::string(field.name);
  return std::nullopt;
}

bool operator==(http_fields const& a, http_fields const& b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!http_fields::same_name(a[i].name, b[i].name) || a[i].value != b[i].value) return false;
  return true;
}

}  // namespace wherry::inline v0
