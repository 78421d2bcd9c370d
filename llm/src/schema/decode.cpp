// JSON text -> value, strictly, with the path of the first thing that is wrong.

#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>
#include <wherry/llm/schema.hpp>

#include "schema/memory.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace wherry::inline v0::detail {
namespace {

/// How many bytes of an offending string a message shows.
constexpr std::size_t shown_bytes_max = 40;
/// Every integer up to here is a double, and no other text reads as the same double.
constexpr double exact_double_max = 9007199254740992.0;  // 2^53

std::string shown(json const& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (!value.is_string()) return to_text(value);
  std::string_view text = value.get_ref<std::string const&>();
  if (text.size() <= shown_bytes_max) return to_text(value);
  text = text.substr(0, shown_bytes_max);
  return to_text(json(text.substr(0, utf8_complete_prefix(text)))) + "...";
}

std::string listed(std::span<field_shape const> fields) {
  std::string names;
  for (auto const& field : fields) names += (names.empty() ? "" : ", ") + std::string(field.name);
  return names;
}

std::string enumerated(enumerator_names const& names) {
  std::string list;
  for (auto const name : names.names)
    if (!name.empty()) list += (list.empty() ? "" : ", ") + to_text(json(name));
  return list;
}

std::string number_text(double value) { return to_text(json(value)); }

std::string between(integer_bounds const& b) {
  return "an integer between " + to_digits(b.low) + " and " + to_digits(b.high);
}

/// What a shape wants, as a message says it.
std::string wanted(shape const& type, limits const& bounds) {
  switch (type.kind) {
    case shape_kind::boolean: return "true or false";
    case shape_kind::integer:
      return bounds.applies == limits::what::none ? "an integer" : between(bounds_of(type, bounds));
    case shape_kind::number:
      if (bounds.applies != limits::what::real) return "a number";
      return "a number between " + number_text(bounds.real_low) + " and " + number_text(bounds.real_high);
    case shape_kind::string:
      if (bounds.applies != limits::what::length) return "a string";
      return "a string of " + std::to_string(bounds.low) + " to " + std::to_string(bounds.high) + " characters";
    case shape_kind::enumeration: return "one of " + enumerated(*type.names);
    case shape_kind::sequence:
      if (bounds.applies != limits::what::items) return "an array";
      return "an array of " + std::to_string(bounds.low) + " to " + std::to_string(bounds.high) + " items";
    case shape_kind::map: return "an object";
    case shape_kind::object: return type.fields.empty() ? "an empty object" : "an object with " + listed(type.fields);
    case shape_kind::optional: return wanted(*type.item, bounds) + " or null";
    case shape_kind::variant: {
      std::string all;
      for (auto const* option : type.options) all += (all.empty() ? "" : " or ") + wanted(*option, {});
      return all;
    }
  }
  return {};
}

/// The integer a JSON number stands for; none when it has a fraction, is beyond 64 bits or no number at all.
std::optional<wide_integer> integer_in(json const& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  auto const real = value.get<double>();
  if (real != std::trunc(real) || std::abs(real) > exact_double_max) return std::nullopt;
  return static_cast<std::int64_t>(real);
}

std::optional<double> number_in(json const& value) {
  if (is_big_integer(value)) return std::strtod(big_integer_text(value).c_str(), nullptr);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

std::int64_t code_points(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

class reader {
 public:
  bool read(json const& value, shape const& type, limits const& bounds, void* out) {
    if (++visits_ > decode_visits_max)
      return fail("gave up after looking at " + std::to_string(decode_visits_max) +
                  " values: nested alternatives are too ambiguous");
    switch (type.kind) {
      case shape_kind::boolean:
        if (!value.is_boolean()) return mismatch(value, type, bounds);
        *static_cast<bool*>(out) = value.get<bool>();
        return true;
      case shape_kind::integer: return read_integer(value, type, bounds, out);
      case shape_kind::number: return read_number(value, type, bounds, out);
      case shape_kind::string: return read_string(value, type, bounds, out);
      case shape_kind::enumeration: return read_enumerator(value, type, out);
      case shape_kind::sequence: return read_sequence(value, type, bounds, out);
      case shape_kind::map: return read_map(value, type, out);
      case shape_kind::optional:
        if (value.is_null()) return type.select(out, 0), true;
        return read(value, *type.item, bounds, type.select(out, 1));
      case shape_kind::object: return read_object(value, type, out);
      case shape_kind::variant: return read_variant(value, type, out);
    }
    return false;
  }

  error failure() && { return {errc::output_invalid, std::move(message_), "schema.decode", std::move(failed_at_)}; }

 private:
  class items final : public item_source {
   public:
    items(reader& from, json const& container, shape const& item)
        : from_(from), next_(container.begin()), end_(container.end()), keyed_(container.is_object()), item_(item) {}
    bool more() override { return next_ != end_; }
    std::string key() const override { return keyed_ ? next_.key() : std::string{}; }
    bool read(void* item) override {
      auto const step = keyed_ ? from_.enter(next_.key()) : from_.enter(std::to_string(index_++));
      complete_ = from_.read(*next_, item_, {}, item);
      ++next_;
      return complete_;
    }
    bool complete() const { return complete_; }

   private:
    reader& from_;
    json::const_iterator next_, end_;
    bool keyed_;
    shape const& item_;
    std::size_t index_ = 0;
    bool complete_ = true;
  };

  /// Leaves the step of the path it stands for.
  class path_step {
   public:
    path_step(std::string& path, std::size_t size) : path_(path), size_(size) {}
    path_step(path_step const&) = delete;
    ~path_step() { path_.resize(size_); }

   private:
    std::string& path_;
    std::size_t size_;
  };

  /// Goes one step down the JSON pointer (RFC 6901).
  path_step enter(std::string_view step) {
    auto const size = path_.size();
    path_ += '/';
    for (char const c : step) {
      if (c == '~')
        path_ += "~0";
      else if (c == '/')
        path_ += "~1";
      else
        path_ += c;
    }
    return {path_, size};
  }

  bool fail(std::string message) {
    message_ = std::move(message);
    failed_at_ = path_;
    return false;
  }
  bool mismatch(json const& value, shape const& type, limits const& bounds) {
    return fail("expected " + wanted(type, bounds) + ", found " + shown(value));
  }

  bool read_integer(json const& value, shape const& type, limits const& bounds, void* out) {
    auto const integer = integer_in(value);
    auto const allowed = bounds_of(type, bounds);
    if (!integer && !is_big_integer(value)) return mismatch(value, type, bounds);
    if (!integer || *integer < allowed.low || *integer > allowed.high)
      return fail("expected " + between(allowed) + ", found " + shown(value));
    store_integer(type, *integer, out);
    return true;
  }

  bool read_number(json const& value, shape const& type, limits const& bounds, void* out) {
    auto const number = number_in(value);
    if (!number) return mismatch(value, type, bounds);
    if (bounds.applies == limits::what::real && !(*number >= bounds.real_low && *number <= bounds.real_high))
      return mismatch(value, type, bounds);
    if (type.bytes == sizeof(double)) {
      *static_cast<double*>(out) = *number;
      return std::isfinite(*number) || fail("expected a number that a double can hold, found " + shown(value));
    }
    auto const narrow = static_cast<float>(*number);
    *static_cast<float*>(out) = narrow;
    return std::isfinite(narrow) || fail("expected a number that a float can hold, found " + shown(value));
  }

  bool read_string(json const& value, shape const& type, limits const& bounds, void* out) {
    if (!value.is_string()) return mismatch(value, type, bounds);
    auto const& text = value.get_ref<std::string const&>();
    if (bounds.applies == limits::what::length) {
      auto const length = code_points(text);
      if (length < bounds.low || length > bounds.high)
        return fail("expected " + wanted(type, bounds) + ", found " + std::to_string(length));
    }
    *static_cast<std::string*>(out) = text;
    return true;
  }

  bool read_enumerator(json const& value, shape const& type, void* out) {
    if (!value.is_string()) return mismatch(value, type, {});
    auto const& names = type.names->names;
    auto const found = std::ranges::find(names, std::string_view(value.get_ref<std::string const&>()));
    if (found == names.end() || found->empty()) return mismatch(value, type, {});
    store_integer(type, found - names.begin(), out);
    return true;
  }

  bool read_sequence(json const& value, shape const& type, limits const& bounds, void* out) {
    if (!value.is_array()) return mismatch(value, type, bounds);
    auto const count = static_cast<std::int64_t>(value.size());
    if (bounds.applies == limits::what::items && (count < bounds.low || count > bounds.high))
      return fail("expected " + wanted(type, bounds) + ", found " + std::to_string(count));
    items source(*this, value, *type.item);
    type.assign(out, source);
    return source.complete();
  }

  bool read_map(json const& value, shape const& type, void* out) {
    if (!value.is_object()) return mismatch(value, type, {});
    items source(*this, value, *type.item);
    type.assign(out, source);
    return source.complete();
  }

  bool read_object(json const& value, shape const& type, void* out) {
    if (!value.is_object()) return mismatch(value, type, {});
    for (auto const& [key, member] : value.items()) {
      auto const known = [&](field_shape const& field) { return field.name == key; };
      if (std::ranges::any_of(type.fields, known)) continue;
      auto const step = enter(key);
      return fail("unknown field; " +
                  (type.fields.empty() ? "no fields are expected here" : "the known ones are " + listed(type.fields)));
    }
    for (std::size_t i = 0; i < type.fields.size(); ++i)
      if (!read_field(value, type.fields[i], type.field_at(out, i))) return false;
    return true;
  }

  bool read_field(json const& object, field_shape const& field, void* out) {
    auto const step = enter(field.name);
    auto const found = object.find(field.name);
    if (field.required()) {
      if (found == object.end()) return fail("missing; expected " + wanted(*field.type, field.bounds));
      return read(*found, *field.type, field.bounds, out);
    }
    if (found == object.end()) return field.type->select(out, 0), true;
    auto const& inner = *field.type->item;
    if (found->is_null())
      return fail("expected " + wanted(inner, field.bounds) + ", found null; leave the field out instead");
    return read(*found, inner, field.bounds, field.type->select(out, 1));
  }

  /// The first alternative that fits. When none does, the one that got farthest tells why.
  bool read_variant(json const& value, shape const& type, void* out) {
    std::string deepest, reason;
    for (std::size_t i = 0; i < type.options.size(); ++i) {
      if (read(value, *type.options[i], {}, type.select(out, i))) return true;
      if (visits_ > decode_visits_max) return false;
      if (failed_at_.size() > std::max(deepest.size(), path_.size())) deepest = failed_at_, reason = message_;
    }
    if (deepest.empty()) return mismatch(value, type, {});
    failed_at_ = std::move(deepest);
    message_ = std::move(reason);
    return false;
  }

  std::size_t visits_ = 0;
  std::string path_;
  std::string failed_at_;
  std::string message_;
};

}  // namespace

result<void> decode_text(std::string_view text, shape const& type, void* out) {
  auto const value = parse_json(text);
  if (!value) return error(errc::output_invalid, value.error().message, "schema.decode");
  reader in;
  if (!in.read(*value, type, {}, out)) return std::move(in).failure();
  return {};
}

}  // namespace wherry::inline v0::detail
