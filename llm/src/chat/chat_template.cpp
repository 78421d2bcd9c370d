#include <wherry/llm/chat_template.hpp>

#include "chat/chat_template_impl.hpp"
#include "chat/jinja_interpreter.hpp"
#include "chat/jinja_parser.hpp"

#include <wherry/core/json.hpp>

namespace wherry::inline v0 {
namespace {

using namespace detail::chat;

error translated(failure const& f, std::string_view where) {
  return {f.code, (f.at ? to_string(*f.at) + ": " : std::string{}) + f.message, std::string(where)};
}

marked_text text_of(std::vector<prompt_piece> const& pieces) {
  marked_text out;
  for (auto const& piece : pieces) out.append(piece.text, piece.origin);
  return out;
}

value message_value(workspace& space, json const& message, context_trust trust,
                    std::vector<prompt_piece> const* content) {
  value out = from_json(space, message, text_origin::from_data);
  if (!out.dict()) return out;
  for (auto& [key, member] : out.dict()->members) {
    std::string const& name = key.text()->bytes();
    if (trust == context_trust::roles_are_template && name == "role" && member.text())
      member = space.text(member.text()->bytes(), text_origin::from_template);
    if (content && name == "content") member = space.text(text_of(*content));
  }
  return out;
}

value variable_value(workspace& space, std::string const& name, json const& variable, context_trust trust,
                     marked_values const& marked) {
  if (name != "messages" || !variable.is_array()) return from_json(space, variable, text_origin::from_data);
  std::vector<value> messages;
  for (auto const& message : variable) {
    auto const content = marked.contents.find(messages.size());
    messages.push_back(
        message_value(space, message, trust, content == marked.contents.end() ? nullptr : &content->second));
  }
  return space.list(std::move(messages), text_origin::from_data);
}

std::vector<std::pair<std::string, value>> variables_of(workspace& space, json const& context, context_trust trust,
                                                        marked_values const& marked) {
  std::vector<std::pair<std::string, value>> out;
  for (auto const& [name, variable] : context.get_ref<json::object_t const&>())
    out.emplace_back(name, variable_value(space, name, variable, trust, marked));
  for (auto const& [name, pieces] : marked.variables) out.emplace_back(name, space.text(text_of(pieces)));
  auto add_token = [&](char const* name, std::optional<std::string> const& spelling) {
    if (spelling) out.emplace_back(name, space.text(*spelling, text_origin::from_template));
  };
  add_token("bos_token", space.options().bos_token);
  add_token("eos_token", space.options().eos_token);
  return out;
}

}  // namespace

std::string joined(std::span<prompt_piece const> pieces) {
  std::string out;
  for (auto const& piece : pieces) out += piece.text;
  return out;
}

result<chat_template> chat_template::parse(std::string source) {
  try {
    block body = parse_template(source);
    return chat_template(std::make_shared<impl const>(impl{std::move(source), std::move(body)}));
  } catch (failure const& f) {
    return translated(f, "chat_template.parse");
  }
}

result<std::vector<prompt_piece>> chat_template::render(json const& context, render_options const& options) const {
  return impl_->render(context, options, context_trust::all_is_data);
}

result<std::vector<prompt_piece>> chat_template::impl::render(json const& context, render_options const& options,
                                                              context_trust trust, marked_values const& marked) const {
  constexpr char const* where = "chat_template.render";
  if (!context.is_object())
    return error(errc::invalid_argument, "a template is rendered with a JSON object of variables", where);
  try {
    workspace space(options);
    return run_template(space, body, variables_of(space, context, trust, marked)).pieces();
  } catch (failure const& f) {
    return translated(f, where);
  }
}

std::string const& chat_template::source() const noexcept { return impl_->source; }

}  // namespace wherry::inline v0
