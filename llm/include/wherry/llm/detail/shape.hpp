#pragma once
// The shape of a C++ type as data. Templates here only fill tables of constants and short accessors; the schema writer,
// the decoder and the encoder are ordinary functions in src/schema that walk those tables. So a program's own files pay
// for the tables, not for JSON.

#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>
#include <wherry/llm/detail/reflect.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wherry::inline v0::detail {

/// Gives a container's assign function its items, one after the other.
class item_source {
 public:
  virtual bool more() = 0;
  virtual std::string key() const = 0;  ///< Of the item that read() will fill; empty in a sequence.
  virtual bool read(void* item) = 0;    ///< Fills one item; false ends the reading.

 protected:
  ~item_source() = default;
};

/// Takes a container's items, one after the other.
class item_sink {
 public:
  virtual void take(std::string_view key, void const* item) = 0;

 protected:
  ~item_sink() = default;
};

enum class shape_kind : std::uint8_t {
  boolean,
  integer,
  number,
  string,
  enumeration,
  sequence,
  map,
  optional,
  object,
  variant
};

/// Declared bounds of a field. `whole` also holds lengths and item counts.
struct limits {
  enum class what : std::uint8_t { none, whole, real, length, items } applies = what::none;
  std::int64_t low = 0;
  std::int64_t high = 0;
  double real_low = 0;
  double real_high = 0;

  constexpr bool ordered() const { return low <= high && real_low <= real_high; }
};

struct field_shape;

/// One type. Which members count depends on the kind; the others stay null.
struct shape {
  shape_kind kind = shape_kind::boolean;
  std::uint8_t bytes = 0;                   ///< integer, number, enumeration
  bool is_signed = false;                   ///< integer, enumeration
  char const* description = nullptr;        ///< of doc<T, "...">
  std::string_view name{};                  ///< object: the type's name
  enumerator_names const* names = nullptr;  ///< enumeration
  shape const* item = nullptr;              ///< sequence, map, optional
  std::span<field_shape const> fields{};    ///< object
  std::span<shape const* const> options{};  ///< variant

  void* (*field_at)(void* object, std::size_t index) = nullptr;    ///< object
  void (*assign)(void* container, item_source& items) = nullptr;   ///< sequence, map
  void (*each)(void const* container, item_sink& sink) = nullptr;  ///< sequence, map
  std::size_t (*held)(void const*) = nullptr;                      ///< optional: 0 or 1; variant: the alternative
  void* (*select)(void*, std::size_t) = nullptr;                   ///< makes it hold that; the held value's address
  void const* (*value)(void const*) = nullptr;                     ///< the held value
};

struct field_shape {
  std::string_view name;
  shape const* type;
  char const* description = nullptr;
  limits bounds;

  constexpr bool required() const { return type->kind != shape_kind::optional; }
};

std::string schema_text(shape const& type);
result<void> decode_text(std::string_view text, shape const& type, void* out);
std::string encode_text(shape const& type, void const* value);

}  // namespace wherry::inline v0::detail
