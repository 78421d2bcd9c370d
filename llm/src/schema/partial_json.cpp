#include <wherry/llm/partial_json.hpp>

#include <wherry/core/json.hpp>
#include <wherry/llm/detail/shape.hpp>

namespace wherry::inline v0 {

namespace {

enum class expects { value, value_or_end, name, name_or_end, colon, comma_or_end, nothing };

std::string escaped(std::string_view step) {
  std::string out;
  for (char const c : step) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

struct partial_json::impl {
  struct container {
    bool is_object = false;
    std::size_t begin = 0;
    std::size_t items = 0;
    std::size_t path_size = 0;  // of the container itself
  };
  enum class inside { nothing, string, number, word };

  std::string text;
  std::vector<container> open;
  std::string path;
  expects next = expects::value;
  inside in = inside::nothing;
  bool is_name = false, escape = false;
  std::size_t begin = 0;                     // of the string, number or word that is being read
  std::size_t safe_end = 0, safe_depth = 0;  // where everything is whole, and how many containers are open there
  std::optional<error> broken;

  result<std::vector<closed_value>> read(std::string_view piece) {
    std::vector<closed_value> events;
    if (broken) return *broken;
    if (text.size() + piece.size() > bytes_max)
      return fail(errc::limit_reached, text.size(), "the text is longer than 64 MiB");
    for (char const c : piece) {
      text += c;
      if (!take(c, events)) return *broken;
    }
    return events;
  }

  error fail(errc code, std::size_t at, std::string const& why) {
    broken = error(code, "JSON is not valid at byte " + std::to_string(at) + ": " + why, "partial_json");
    return *broken;
  }
  bool wrong(std::string const& why) {
    fail(errc::parse_error, text.size() - 1, why);
    return false;
  }

  // The byte is the last one of `text`.
  bool take(char c, std::vector<closed_value>& events) {
    switch (in) {
      case inside::string:
        if (static_cast<unsigned char>(c) < 0x20) return wrong("a control character in a string");
        if (escape)
          escape = false;
        else if (c == '\\')
          escape = true;
        else if (c == '"')
          return is_name ? end_name() : end_scalar(text.size(), events);
        return true;
      case inside::number:
      case inside::word: {
        bool const goes_on = in == inside::word
                                 ? c >= 'a' && c <= 'z'
                                 : (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
        if (goes_on) return true;
        if (!end_scalar(text.size() - 1, events)) return false;
        break;
      }
      case inside::nothing: break;
    }
    return is_space(c) || take_mark(c, events);
  }

  bool take_mark(char c, std::vector<closed_value>& events) {
    bool const value = next == expects::value || next == expects::value_or_end;
    if (c == '"') {
      if (!value && next != expects::name && next != expects::name_or_end) return wrong("a string cannot stand here");
      in = inside::string;
      is_name = !value;
      begin = text.size() - 1;
      return true;
    }
    if (c == ',' && next == expects::comma_or_end) {
      next = open.back().is_object ? expects::name : expects::value;
      return true;
    }
    if (c == ':' && next == expects::colon) {
      next = expects::value;
      return true;
    }
    if (c == '}' || c == ']') {
      bool const fits =
          !open.empty() && open.back().is_object == (c == '}') &&
          (next == expects::comma_or_end || next == (c == '}' ? expects::name_or_end : expects::value_or_end));
      if (!fits) return wrong(std::string("a ") + c + " cannot stand here");
      std::size_t const from = open.back().begin;
      open.pop_back();
      return end_value(from, text.size(), events);
    }
    if (!value) return wrong("something else was expected");
    if (c == '{' || c == '[') {
      if (open.size() == json_depth_max) return wrong("nesting is deeper than " + std::to_string(json_depth_max));
      enter_item();
      open.push_back({c == '{', text.size() - 1, 0, path.size()});
      next = c == '{' ? expects::name_or_end : expects::value_or_end;
      safe_end = text.size();
      safe_depth = open.size();
      return true;
    }
    if (c == '-' || (c >= '0' && c <= '9'))
      in = inside::number;
    else if (c == 't' || c == 'f' || c == 'n')
      in = inside::word;
    else
      return wrong("no value begins so");
    begin = text.size() - 1;
    return true;
  }

  // An item of an array has its index as the last step of the path.
  void enter_item() {
    if (!open.empty() && !open.back().is_object) path += "/" + std::to_string(open.back().items++);
  }
  bool end_name() {
    in = inside::nothing;
    auto const name = parse_json(std::string_view(text).substr(begin));
    if (!name) return wrong("no JSON string: " + name.error().message);
    path += "/" + escaped(name->get_ref<std::string const&>());
    next = expects::colon;
    return true;
  }
  bool end_scalar(std::size_t end, std::vector<closed_value>& events) {
    in = inside::nothing;
    auto const value = parse_json(std::string_view(text).substr(begin, end - begin));
    if (!value) return wrong("no JSON value: " + value.error().message);
    enter_item();
    return end_value(begin, end, events);
  }
  bool end_value(std::size_t from, std::size_t end, std::vector<closed_value>& events) {
    events.push_back({path, {text.substr(from, end - from)}});
    path.resize(open.empty() ? 0 : open.back().path_size);
    next = open.empty() ? expects::nothing : expects::comma_or_end;
    safe_end = end;
    safe_depth = open.size();
    return true;
  }
};

partial_json::partial_json() : impl_(std::make_unique<impl>()) {}
partial_json::partial_json(partial_json&&) noexcept = default;
partial_json& partial_json::operator=(partial_json&&) noexcept = default;
partial_json::~partial_json() = default;

result<std::vector<closed_value>> partial_json::push(std::string_view piece) { return impl_->read(piece); }

result<std::vector<closed_value>> partial_json::finish() {
  std::vector<closed_value> events;
  if (impl_->broken) return *impl_->broken;
  if (impl_->in == impl::inside::number || impl_->in == impl::inside::word) {
    if (!impl_->end_scalar(impl_->text.size(), events)) return *impl_->broken;
  }
  if (!is_whole()) return impl_->fail(errc::parse_error, impl_->text.size(), "the text ends before the document does");
  return events;
}

std::string const& partial_json::text() const noexcept { return impl_->text; }
bool partial_json::is_whole() const noexcept {
  return impl_->next == expects::nothing && impl_->in == impl::inside::nothing && !impl_->broken;
}

std::string partial_json::closed_text() const {
  std::string out = impl_->text.substr(0, impl_->safe_end);
  // Containers opened behind that place hold nothing that is whole.
  for (std::size_t i = std::min(impl_->safe_depth, impl_->open.size()); i-- > 0;)
    out += impl_->open[i].is_object ? '}' : ']';
  return out;
}

namespace detail {

result<bool> take_member(closed_value const& closed, shape const& type, void* out) {
  if (type.kind != shape_kind::object || closed.path.size() < 2 || closed.path.find('/', 1) != std::string::npos)
    return false;
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    auto const& field = type.fields[i];
    if (escaped(field.name) != closed.path.substr(1)) continue;
    void* at = type.field_at(out, i);
    shape const* of = field.type;
    if (of->kind == shape_kind::optional) {
      at = of->select(at, 1);
      of = of->item;
    }
    if (auto done = decode_text(closed.value.text, *of, at); !done) {
      error why = std::move(done).error();
      why.path = closed.path + why.path;
      return why;
    }
    return true;
  }
  return false;
}

}  // namespace detail

}  // namespace wherry::inline v0
