#include "chat/jinja_interpreter.hpp"

#include "chat/jinja_functions.hpp"

#include <algorithm>
#include <map>

namespace wherry::inline v0::detail::chat {
namespace {

// The names one level of the template can see. Inner levels read outer ones and never write them.
struct scope {
  scope const* outer = nullptr;
  std::map<std::string_view, value> names = {};

  value const* find(std::string_view name) const {
    for (scope const* s = this; s; s = s->outer)
      if (auto const found = s->names.find(name); found != s->names.end()) return &found->second;
    return nullptr;
  }
};

enum class flow { onward, break_loop, next_round };

class interpreter {
 public:
  explicit interpreter(workspace& space) : space_(space) {}

  flow run(block const& body, scope& names, marked_text& out) {
    for (auto const& s : body)
      if (auto const next = run(s, names, out); next != flow::onward) return next;
    return flow::onward;
  }

 private:
  // -- statements ----------------------------------------------------------------------------------------------------

  flow run(statement const& s, scope& names, marked_text& out) {
    descent const level(space_);
    space_.step();
    try {
      return std::visit([&](auto const& node) { return run(node, names, out); }, s.node);
    } catch (failure& f) {
      if (!f.at) f.at = s.at;
      throw;
    }
  }

  flow run(text_output const& node, scope&, marked_text& out) {
    put(out, marked_text(node.text, text_origin::from_template));
    return flow::onward;
  }

  flow run(value_output const& node, scope& names, marked_text& out) {
    put(out, to_text(space_, evaluate(*node.value, names)));
    return flow::onward;
  }

  flow run(if_statement const& node, scope& names, marked_text& out) {
    for (auto const& [condition, body] : node.branches)
      if (truthy(evaluate(*condition, names))) return run(body, names, out);
    return run(node.otherwise, names, out);
  }

  flow run(for_statement const& node, scope& names, marked_text& out) {
    auto items = iterate(space_, evaluate(*node.iterable, names));
    if (node.condition)
      std::erase_if(items, [&](value const& item) {
        scope inner{&names};
        assign(node.target, item, inner);
        return !truthy(evaluate(*node.condition, inner));
      });
    if (items.empty()) return run(node.otherwise, names, out);
    loop_object& loop = space_.loop(std::move(items));
    for (; loop.index < loop.items.size(); ++loop.index) {
      scope inner{&names};
      inner.names["loop"] = {&loop};
      assign(node.target, loop.items[loop.index], inner);
      if (run(node.body, inner, out) == flow::break_loop) break;
    }
    return flow::onward;
  }

  flow run(set_statement const& node, scope& names, marked_text&) {
    assign(node.target, evaluate(*node.value, names), names);
    return flow::onward;
  }

  flow run(set_block const& node, scope& names, marked_text&) {
    marked_text body;
    scope inner{&names};
    flow const next = run(node.body, inner, body);
    value const text = space_.text(std::move(body));
    assign(node.target, node.filter ? filtered(*node.filter, text, names) : text, names);
    return next;
  }

  flow run(macro_definition const& node, scope& names, marked_text&) {
    // The parser lets macros stand only where `names` is the outermost scope, which outlives every call.
    names.names[node.name] = space_.function(node.name, [this, &node, &names](workspace&, arguments const& given) {
      return call_macro(node, names, given);
    });
    return flow::onward;
  }

  flow run(filter_block const& node, scope& names, marked_text& out) {
    marked_text body;
    scope inner{&names};
    flow const next = run(node.body, inner, body);
    put(out, to_text(space_, filtered(*node.filter, space_.text(std::move(body)), names)));
    return next;
  }

  flow run(scoped_block const& node, scope& names, marked_text& out) {
    if (!node.own_scope) return run(node.body, names, out);
    scope inner{&names};
    for (auto const& assignment : node.assignments)
      assign(assignment.target, evaluate(*assignment.value, names), inner);
    return run(node.body, inner, out);
  }

  flow run(break_statement const&, scope&, marked_text&) { return flow::break_loop; }
  flow run(continue_statement const&, scope&, marked_text&) { return flow::next_round; }

  value call_macro(macro_definition const& macro, scope const& outer, arguments const& given) {
    auto const& parameters = macro.parameters;
    if (given.positional.size() > parameters.size())
      fail("the macro " + macro.name + " takes at most " + std::to_string(parameters.size()) + " arguments");
    for (auto const& [name, v] : given.named)
      if (std::none_of(parameters.begin(), parameters.end(), [&, &n = name](auto const& p) { return p.first == n; }))
        fail("the macro " + macro.name + " has no parameter \"" + std::string(name) + "\"");
    scope inner{&outer};
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto const& [name, fallback] = parameters[i];
      auto const named = std::find_if(given.named.begin(), given.named.end(),
                                      [&, &n = name](auto const& argument) { return argument.first == n; });
      if (i < given.positional.size())
        inner.names[name] = given.positional[i];
      else if (named != given.named.end())
        inner.names[name] = named->second;
      else
        inner.names[name] = fallback ? evaluate(*fallback, inner) : value{undefined_value{name}};
    }
    marked_text out;
    run(macro.body, inner, out);
    return space_.text(std::move(out));
  }

  void assign(assignment_target const& target, value const& v, scope& names) {
    if (!target.attribute.empty()) {
      value const* holder = names.find(target.names[0]);
      auto* const dict = holder ? holder->object<dict_object>() : nullptr;
      if (!dict || !(dict->is_namespace || space_.options().lenient))
        fail("\"" + target.names[0] + "\" is no namespace; members of anything else cannot be set" +
             (dict ? " (render_options::lenient allows dicts)" : ""));
      set_member(space_, *dict, space_.text(target.attribute, text_origin::from_template), v);
      return;
    }
    if (target.names.size() == 1) {
      names.names[target.names[0]] = v;
      return;
    }
    auto const items = iterate(space_, v);
    if (items.size() != target.names.size())
      fail("cannot unpack " + std::to_string(items.size()) + " items into " + std::to_string(target.names.size()) +
           " names");
    for (std::size_t i = 0; i < items.size(); ++i) names.names[target.names[i]] = items[i];
  }

  void put(marked_text& out, marked_text const& text) {
    space_.check_size(out.size() + text.size());
    space_.count_text(text.size());
    out.append(text);
  }

  // -- expressions ---------------------------------------------------------------------------------------------------

  value evaluate(expression const& e, scope const& names) {
    descent const level(space_);
    space_.step();
    try {
      return std::visit([&](auto const& node) { return evaluate(node, names); }, e.node);
    } catch (failure& f) {
      if (!f.at) f.at = e.at;
      throw;
    }
  }
  value evaluate(expression_ptr const& e, scope const& names) { return e ? evaluate(*e, names) : value{none_value{}}; }

  value evaluate(literal const& node, scope const&) {
    if (auto const* text = std::get_if<std::string>(&node.value)) return space_.text(*text, text_origin::from_template);
    if (auto const* i = std::get_if<std::int64_t>(&node.value)) return integer(*i);
    if (auto const* d = std::get_if<double>(&node.value)) return {*d};
    if (auto const* b = std::get_if<bool>(&node.value)) return boolean(*b);
    return {none_value{}};
  }

  value evaluate(variable const& node, scope const& names) {
    if (auto const* found = names.find(node.name)) return *found;
    return global_function(space_, node.name);
  }

  value evaluate(list_literal const& node, scope const& names) {
    std::vector<value> items;
    for (auto const& item : node.items) items.push_back(evaluate(*item, names));
    return space_.list(std::move(items), text_origin::from_template, node.tuple);
  }

  value evaluate(dict_literal const& node, scope const& names) {
    value const made = space_.dict({}, text_origin::from_template);
    for (auto const& [key, member] : node.members)
      set_member(space_, *made.dict(), evaluate(*key, names), evaluate(*member, names));
    return made;
  }

  value evaluate(unary const& node, scope const& names) { return apply_unary(node.op, evaluate(*node.operand, names)); }

  value evaluate(binary_chain const& node, scope const& names) {
    value left = evaluate(*node.first, names);
    for (auto const& [op, operand] : node.rest) left = apply_binary(space_, op, left, evaluate(*operand, names));
    return left;
  }

  value evaluate(logical_chain const& node, scope const& names) {
    value last;
    for (auto const& operand : node.operands) {
      last = evaluate(*operand, names);
      if (truthy(last) != node.conjunction) break;
    }
    return last;
  }

  value evaluate(comparison_chain const& node, scope const& names) {
    value left = evaluate(*node.first, names);
    text_origin origin = origin_of(left);
    for (auto const& [op, operand] : node.rest) {
      value right = evaluate(*operand, names);
      origin = joined_origin(origin, origin_of(right));
      if (!compare(op, left, right)) return boolean(false, origin);
      left = std::move(right);
    }
    return boolean(true, origin);
  }

  bool compare(comparison op, value const& left, value const& right) {
    switch (op) {
      case comparison::equal: return equal(space_, left, right);
      case comparison::not_equal: return !equal(space_, left, right);
      case comparison::less: return less(space_, left, right);
      case comparison::less_equal: return !less(space_, right, left);
      case comparison::greater: return less(space_, right, left);
      case comparison::greater_equal: return !less(space_, left, right);
      case comparison::in: return contains(space_, right, left);
      case comparison::not_in: return !contains(space_, right, left);
    }
    return false;
  }

  value evaluate(conditional const& node, scope const& names) {
    if (truthy(evaluate(*node.condition, names))) return evaluate(*node.then, names);
    return node.otherwise ? evaluate(*node.otherwise, names) : value{undefined_value{"an if without else"}};
  }

  value evaluate(attribute const& node, scope const& names) {
    return get_attribute(space_, evaluate(*node.object, names), node.name);
  }

  value evaluate(subscript const& node, scope const& names) {
    value const object = evaluate(*node.object, names);
    return get_item(space_, object, evaluate(*node.index, names));
  }

  value evaluate(slice const& node, scope const& names) {
    value const object = evaluate(*node.object, names);
    value const start = evaluate(node.start, names);
    value const stop = evaluate(node.stop, names);
    return get_slice(space_, object, start, stop, evaluate(node.step, names));
  }

  value evaluate(call const& node, scope const& names) {
    value const callee = evaluate(*node.callee, names);
    return call_function(space_, callee, evaluate(node.arguments, names));
  }

  value evaluate(filter_call const& node, scope const& names) {
    value const operand = evaluate(*node.operand, names);
    return apply_filter(space_, node.name, operand, evaluate(node.arguments, names));
  }

  value evaluate(test_call const& node, scope const& names) {
    value const operand = evaluate(*node.operand, names);
    bool const holds = apply_test(space_, node.name, operand, evaluate(node.arguments, names));
    return boolean(holds != node.negated, origin_of(operand));
  }

  arguments evaluate(argument_list const& list, scope const& names) {
    arguments out;
    for (auto const& argument : list.positional) out.positional.push_back(evaluate(*argument, names));
    for (auto const& [name, argument] : list.named) out.named.emplace_back(name, evaluate(*argument, names));
    return out;
  }

  // A chain of filters whose innermost operand is a text already at hand.
  value filtered(expression const& e, value const& text, scope const& names) {
    auto const& node = std::get<filter_call>(e.node);
    value const operand = node.operand ? filtered(*node.operand, text, names) : text;
    return apply_filter(space_, node.name, operand, evaluate(node.arguments, names));
  }

  workspace& space_;
};

}  // namespace

marked_text run_template(workspace& space, block const& body,
                         std::vector<std::pair<std::string, value>> const& variables) {
  scope context;
  for (auto const& [name, v] : variables) context.names[name] = v;
  scope names{&context};
  marked_text out;
  interpreter(space).run(body, names, out);
  return out;
}

}  // namespace wherry::inline v0::detail::chat
