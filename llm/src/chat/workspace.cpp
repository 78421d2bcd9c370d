#include "chat/jinja_value.hpp"

namespace wherry::inline v0::detail::chat {

void workspace::step(std::size_t count) {
  if (count > options_.steps_max - steps_)
    fail("the template needs more than " + std::to_string(options_.steps_max) + " steps (render_options::steps_max)",
         errc::limit_reached);
  steps_ += count;
}

void workspace::check_size(std::size_t bytes) const {
  if (bytes > options_.output_bytes_max)
    fail("the template makes a text of more than " + std::to_string(options_.output_bytes_max) +
             " bytes (render_options::output_bytes_max)",
         errc::limit_reached);
}

void workspace::count_text(std::size_t bytes) {
  constexpr std::size_t bytes_per_step = 32;
  step(1 + bytes / bytes_per_step);
}

value workspace::text(marked_text text) {
  check_size(text.size());
  count_text(text.size());
  return {std::make_shared<marked_text const>(std::move(text))};
}

value workspace::list(std::vector<value> items, text_origin origin, bool tuple) {
  step(1 + items.size());
  return {&lists_.emplace_back(list_object{std::move(items), tuple}), origin};
}

value workspace::lazy(std::vector<value> items, text_origin origin) {
  value const made = list(std::move(items), origin);
  made.list()->lazy = true;
  return made;
}

value workspace::dict(std::vector<std::pair<value, value>> members, text_origin origin, bool is_namespace) {
  step(1 + members.size());
  return {&dicts_.emplace_back(dict_object{std::move(members), is_namespace}), origin};
}

value workspace::function(std::string_view name, std::function<value(workspace&, arguments const&)> body) {
  step();
  return {&functions_.emplace_back(function_object{name, std::move(body)})};
}

loop_object& workspace::loop(std::vector<value> items) {
  step(1 + items.size());
  return loops_.emplace_back(loop_object{std::move(items)});
}

descent::descent(workspace& space) : space_(space) {
  if (space_.depth_ >= evaluation_depth_max)
    fail("the template nests or recurses deeper than " + std::to_string(evaluation_depth_max) + " levels",
         errc::limit_reached);
  ++space_.depth_;
}

}  // namespace wherry::inline v0::detail::chat
