// Shapes in a notation that is not JSON. What JSON and the notation write alike stays as it is; for the rest shapes get
// marks, and the outermost object shapes of its own, since only its members are arguments.
#include "grammar/shape.hpp"
#include "schema/pattern.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace grammar {
namespace {

// The bytes of a mark that holds no control token: text could spell it.
std::optional<std::string> bytes_of(spelling const& elements) {
  std::string out;
  for (auto const e : elements) {
    if (e >= control_element) return std::nullopt;
    out += static_cast<char>(e);
  }
  return out;
}

spelling elements_of(std::string_view text) {
  spelling out;
  for (char const c : text) out.push_back(static_cast<std::uint8_t>(c));
  return out;
}
void append(spelling& out, spelling const& more) { out.insert(out.end(), more.begin(), more.end()); }
void append(spelling& out, std::string_view text) { append(out, elements_of(text)); }

class shape_writer {
 public:
  shape_writer(shape_table& table, spelled_notation const& how, vocabulary::impl const& tokens)
      : table_(table), how_(how), without_(how.raw_without()), words_(pattern("^[A-Za-z_][A-Za-z0-9_]*$")) {
    raw_unit_ = tokens.free_text_without(without_);
    if (how.outermost) names_ = pattern(how.outermost->names);
  }

  result<void> run() {
    std::size_t const count = table_.shapes.size();
    for (shape_id id = 0; id < count; ++id) write_everywhere(table_.shapes[id]);
    if (how_.outermost) table_.root = outermost(table_.root);
    if (can_be_written()) return {};
    return error{errc::schema_unsupported,
                 "no value of the schema can be written in the notation of the model's calls" +
                     (dropped_.empty() ? "" : ": " + dropped_),
                 "grammar.compile"};
  }

 private:
  static std::shared_ptr<regex::automaton> pattern(std::string const& text) {
    auto in = std::make_shared<regex::arena>();
    auto const language = regex::parse_pattern(*in, text, regex::spelling::utf8);
    return language ? std::make_shared<regex::automaton>(std::move(in), *language) : nullptr;
  }
  static std::string name_of(object_shape::member const& m) { return parse_json(m.name).value().get<std::string>(); }

  void drop(std::string why) {
    if (dropped_.empty()) dropped_ = std::move(why);
  }
  bool holds_end(std::string const& text) const {
    return std::any_of(without_.begin(), without_.end(),
                       [&](auto const& word) { return text.find(word) != text.npos; });
  }

  // -- what holds at every depth --------------------------------------------------------------------------------------

  void write_everywhere(shape& s) {
    for (auto& a : s.alternatives) {
      if (auto* literals = std::get_if<literal_shape>(&a)) {
        write_literals(*literals);
      } else if (auto* object = std::get_if<object_shape>(&a); object && how_.texts && !object->is_list) {
        close_object(*object);
        for (auto& member : object->members) member.written = bare_name(name_of(member));
      } else if (auto* array = std::get_if<array_shape>(&a); array && array->distinct) {
        write_literals(*array->distinct);
      } else if (auto* text = std::get_if<string_shape>(&a); text && how_.texts) {
        raw_shape raw = raw_of(*text, *how_.texts);
        a = std::move(raw);
      }
    }
    drop_impossible(s);
  }

  void write_literals(literal_shape& l) {
    for (auto const& text : l.texts) {
      spelling out;
      if (write(parse_json(text).value(), out)) l.written.push_back(std::move(out));
    }
    l.texts.clear();
  }
  bool write(json const& value, spelling& out) {
    if (value.is_null()) return append(out, how_.null_text), true;
    if (value.is_boolean()) return append(out, value.get<bool>() ? how_.true_text : how_.false_text), true;
    if (value.is_string() && how_.texts) return write_raw(value.get_ref<std::string const&>(), *how_.texts, out);
    if (!value.is_structured()) return append(out, to_text(value)), true;
    out.push_back(value.is_array() ? '[' : '{');
    bool first = true;
    for (auto const& [key, member] : value.items()) {
      if (!std::exchange(first, false)) out.push_back(',');
      if (value.is_object()) append(out, how_.texts ? bare_name(key) : elements_of(to_text(json(key)) + ':'));
      if (!write(member, out)) return false;
    }
    out.push_back(value.is_array() ? ']' : '}');
    return true;
  }
  bool write_raw(std::string const& text, spelled_notation::marks const& marks, spelling& out) {
    if (holds_end(text)) {
      drop("the text " + to_text(json(text)) + " holds the mark that ends it");
      return false;
    }
    append(out, marks.before);
    append(out, text);
    append(out, marks.behind);
    return true;
  }
  spelling bare_name(std::string const& name) const {
    spelling out;
    bool const is_word = words_->matches(name);
    if (!is_word) append(out, how_.texts->before);
    append(out, name);
    if (!is_word) append(out, how_.texts->behind);
    out.push_back(':');
    return out;
  }

  raw_shape raw_of(string_shape const& text, spelled_notation::marks const& marks) const {
    return {marks.before, marks.behind, text, raw_unit_};
  }
  static void close_object(object_shape& o) {
    o.is_open = false;
    o.others_max = 0;
    o.values.clear();
    o.names = nullptr;
  }

  // -- the outermost object
  // --------------------------------------------------------------------------------------------

  shape_id outermost(shape_id root) {
    shape out;
    for (auto const& a : table_.shapes[root].alternatives) {
      auto const* object = std::get_if<object_shape>(&a);
      if (!object || object->is_list) {
        drop("the outermost value is an object");
        continue;
      }
      object_shape written = *object;
      close_object(written);
      written.open = written.close = {};
      written.between = how_.outermost->between;
      std::erase_if(written.members, [&](object_shape::member const& m) { return !m.required && !fits(m); });
      bool possible = true;
      for (auto& member : written.members) {
        possible = possible && fits(member);
        member.written = how_.outermost->before_name;
        append(member.written, name_of(member));
        if (member.written.empty()) possible = false;
      }
      if (possible) out.alternatives.emplace_back(std::move(written));
    }
    for (auto& a : out.alternatives)
      for (auto& member : std::get<object_shape>(a).members) member.value = argument(member.value);
    drop_impossible(out);
    table_.shapes.push_back(std::move(out));
    return static_cast<shape_id>(table_.shapes.size() - 1);
  }
  bool fits(object_shape::member const& m) {
    if (names_ && names_->matches(name_of(m))) return true;
    drop("the member " + m.name + " has a name that cannot be written there");
    return false;
  }

  // The value of an argument: texts raw, where the notation has that, and others between marks.
  shape_id argument(shape_id value) {
    auto const& how = *how_.outermost;
    if (!how.text && how.value.before.empty() && how.value.behind.empty()) return value;
    if (auto const known = arguments_.find(value); known != arguments_.end()) return known->second;
    shape out, rest;
    for (auto const& a : table_.shapes[value].alternatives) {
      auto const* text = std::get_if<string_shape>(&a);
      auto const* literals = std::get_if<literal_shape>(&a);
      if (!how.text || (!text && !literals)) {
        rest.alternatives.push_back(a);
      } else if (text) {
        out.alternatives.emplace_back(raw_of(*text, *how.text));
      } else {
        literal_shape texts, others;
        for (auto const& written : literals->written) split(written, texts, others);
        if (!texts.written.empty()) out.alternatives.emplace_back(std::move(texts));
        if (!others.written.empty()) rest.alternatives.emplace_back(std::move(others));
      }
    }
    if (!rest.alternatives.empty()) {
      shape_id inner = value;
      if (!out.alternatives.empty()) {
        table_.shapes.push_back(std::move(rest));
        inner = static_cast<shape_id>(table_.shapes.size() - 1);
      }
      out.alternatives.emplace_back(framed_shape{how.value.before, how.value.behind, inner});
    }
    drop_impossible(out);
    table_.shapes.push_back(std::move(out));
    return arguments_[value] = static_cast<shape_id>(table_.shapes.size() - 1);
  }
  void split(spelling const& written, literal_shape& texts, literal_shape& others) {
    auto const json_text = bytes_of(written);
    auto const value = json_text && json_text->starts_with('"') ? parse_json(*json_text) : result<json>(json());
    if (!value || !value->is_string()) {
      others.written.push_back(written);
      return;
    }
    spelling out;
    if (write_raw(value->get_ref<std::string const&>(), *how_.outermost->text, out))
      texts.written.push_back(std::move(out));
  }

  // -- what cannot be written
  // ------------------------------------------------------------------------------------------

  void drop_impossible(shape& s) {
    std::erase_if(s.alternatives, [&](alternative const& a) {
      if (auto const* literals = std::get_if<literal_shape>(&a)) return literals->written.empty();
      if (auto const* raw = std::get_if<raw_shape>(&a)) {
        auto const& language = raw->text.raw_language;
        bool const none = language && language->automaton.start() == regex::automaton::dead;
        if (none) drop("a pattern leaves no text without the mark that ends it");
        return none;
      }
      if (auto const* array = std::get_if<array_shape>(&a); array && array->distinct)
        return array->distinct->written.size() < array->min;
      if (auto const* object = std::get_if<object_shape>(&a); object && object->is_list) {
        if (how_.texts) drop("texts of which none may stand twice cannot be told apart between marks");
        return how_.texts.has_value();
      }
      if (auto const* object = std::get_if<object_shape>(&a)) {
        bool const none = !object->is_open && (object->min > object->members.size() || object->others_min > 0);
        if (none) drop("more members are needed than the schema names");
        return none;
      }
      return false;
    });
  }

  // Whether the outermost shape has a value at all: the least fixed point.
  bool can_be_written() const {
    std::vector<bool> possible(table_.shapes.size(), false);
    auto const is = [&](shape_id id) -> bool { return possible[id]; };
    auto const has_value = [&](alternative const& a) -> bool {
      if (auto const* framed = std::get_if<framed_shape>(&a)) return is(framed->value);
      if (auto const* object = std::get_if<object_shape>(&a))
        return std::all_of(object->members.begin(), object->members.end(),
                           [&](auto const& m) { return !m.required || is(m.value); });
      if (auto const* array = std::get_if<array_shape>(&a)) {
        for (std::size_t i = 0; i < std::min(array->min, array->prefix.size()); ++i)
          if (!is(array->prefix[i])) return false;
        return array->min <= array->prefix.size() || array->distinct || array->contains ||
               (array->rest && is(*array->rest));
      }
      return true;
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t s = 0; s < possible.size(); ++s) {
        auto const& all = table_.shapes[s].alternatives;
        if (possible[s] || std::none_of(all.begin(), all.end(), has_value)) continue;
        possible[s] = changed = true;
      }
    }
    return possible[table_.root];
  }

  shape_table& table_;
  spelled_notation const& how_;
  std::vector<std::string> const without_;
  std::shared_ptr<regex::automaton> words_, names_;
  std::shared_ptr<free_text_unit const> raw_unit_;
  std::map<shape_id, shape_id> arguments_;
  std::string dropped_;
};

}  // namespace

std::vector<std::string> spelled_notation::raw_without() const {
  std::vector<std::string> out;
  auto const add = [&](std::optional<marks> const& m) {
    if (!m) return;
    // The mark may stand behind a line break that belongs to the layout.
    auto text = bytes_of(m->behind);
    if (!text) return;
    text->erase(0, std::min(text->find_first_not_of(" \t\r\n"), text->size()));
    text->erase(text->find_last_not_of(" \t\r\n") + 1);
    if (!text->empty()) out.push_back(std::move(*text));
  };
  add(texts);
  if (outermost) add(outermost->text);
  return out;
}

result<void> write_shapes(shape_table& table, spelled_notation const& how, vocabulary::impl const& tokens) {
  return shape_writer(table, how, tokens).run();
}

}  // namespace grammar
}  // namespace wherry::inline v0
