// Value -> JSON text, straight from the shape.

#include <wherry/core/json.hpp>
#include <wherry/llm/detail/shape.hpp>

#include "schema/memory.hpp"

#include <charconv>
#include <cmath>

namespace wherry::inline v0::detail {
namespace {

class encoder {
 public:
  std::string text;

  void write(shape const& type, void const* value) {
    switch (type.kind) {
      case shape_kind::boolean: text += *static_cast<bool const*>(value) ? "true" : "false"; return;
      case shape_kind::integer: text += to_digits(load_integer(type, value)); return;
      case shape_kind::number:
        if (type.bytes == sizeof(float))
          write_number(*static_cast<float const*>(value));
        else
          write_number(*static_cast<double const*>(value));
        return;
      case shape_kind::string: write_string(*static_cast<std::string const*>(value)); return;
      case shape_kind::enumeration: write_enumerator(type, value); return;
      case shape_kind::sequence: {
        container_writer items(*this, *type.item, false);
        text += '[';
        type.each(value, items);
        text += ']';
        return;
      }
      case shape_kind::map: {
        container_writer items(*this, *type.item, true);
        text += '{';
        type.each(value, items);
        text += '}';
        return;
      }
      case shape_kind::optional:
        if (type.held(value))
          write(*type.item, type.value(value));
        else
          text += "null";
        return;
      case shape_kind::object: write_object(type, value); return;
      case shape_kind::variant: write(*type.options[type.held(value)], type.value(value)); return;
    }
  }

 private:
  class container_writer final : public item_sink {
   public:
    container_writer(encoder& to, shape const& item, bool keyed) : to_(to), item_(item), keyed_(keyed) {}
    void take(std::string_view key, void const* item) override {
      if (!std::exchange(first_, false)) to_.text += ',';
      if (keyed_) to_.write_key(key);
      to_.write(item_, item);
    }

   private:
    encoder& to_;
    shape const& item_;
    bool keyed_;
    bool first_ = true;
  };

  void write_object(shape const& type, void const* value) {
    text += '{';
    bool first = true;
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      auto const& field = type.fields[i];
      void const* at = type.field_at(const_cast<void*>(value), i);  // only the address is computed
      if (!field.required() && !field.type->held(at)) continue;
      if (!std::exchange(first, false)) text += ',';
      write_key(field.name);
      write(*field.type, at);
    }
    text += '}';
  }

  void write_key(std::string_view key) {
    write_string(key);
    text += ':';
  }
  void write_string(std::string_view value) { text += to_text(json(value)); }

  template <class Number>
  void write_number(Number value) {
    if (!std::isfinite(value)) {
      text += "null";
      return;
    }
    char digits[64];
    auto const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    std::string_view const written(digits, static_cast<std::size_t>(end - digits));
    text += written;
    if (written.find_first_of(".e") == std::string_view::npos) text += ".0";  // keeps the sign of -0 and says "number"
  }

  void write_enumerator(shape const& type, void const* value) {
    auto const number = load_integer(type, value);
    bool const seen = number >= 0 && number < wide_integer(enumerators_max);
    auto const name = seen ? type.names->names[static_cast<std::size_t>(number)] : std::string_view{};
    if (name.empty())
      text += "null";
    else
      write_string(name);
  }
};

}  // namespace

std::string encode_text(shape const& type, void const* value) {
  encoder out;
  out.write(type, value);
  return std::move(out.text);
}

}  // namespace wherry::inline v0::detail
