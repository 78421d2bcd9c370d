#pragma once
// Where a generation stands in a machine: its live threads, each a place with a stack below it. Stacks share their
// lower parts; nodes are only ever appended, so that a walk over the token trie can go back by cutting them off.

#include "grammar/machine.hpp"

#include <bitset>
#include <optional>
#include <utility>

namespace wherry::inline v0 {
namespace grammar {

struct frame {
  state_id state = 0;
  std::uint32_t counter = 0;  ///< Rounds begun; in text, characters begun.
  std::uint32_t extra = 0;    ///< In text, its bytes so far; in a unit that collects names, the last one plus one.
  std::uint32_t depth = 0;    ///< Recursions entered.
  friend bool operator==(frame const&, frame const&) = default;
};

struct thread {
  static constexpr std::uint32_t no_parent = static_cast<std::uint32_t>(-1);
  frame top;
  std::uint32_t parent = no_parent;
  friend bool operator==(thread const&, thread const&) = default;
};

/// The size of a name whose bytes are not known.
inline constexpr std::uint32_t unknown_size = static_cast<std::uint32_t>(-1);

using thread_list = std::vector<thread>;

class configuration {
 public:
  /// A language may be read in many ways at once; beyond this many only the first ones and the shortest are followed.
  /// That narrows what is allowed and never makes it wrong.
  static constexpr std::size_t threads_max = 256;

  explicit configuration(machine& m);

  thread_list const& threads() const { return threads_; }
  bool is_complete() const { return complete(threads_); }
  static bool complete(thread_list const& threads);

  /// The threads after one more byte; empty when none can take it.
  void step(thread_list const& from, std::uint8_t byte, thread_list& to);
  /// The threads after a control token.
  void step_token(thread_list const& from, token_id id, thread_list& to);
  /// The threads that follow when a text thread ends here (its closing quote taken).
  void step_out(thread const& text, thread_list& to);
  /// Bytes that some thread can take, as far as its state tells; step() has the last word.
  std::bitset<256> possible(thread_list const& threads) const;
  bool waits_for_token(thread_list const& threads) const;

  /// Appends to the text that names are compared with; take_back() undoes the last ones.
  void append(std::uint8_t byte) {
    if (machine_->collects_names) text_.push_back(static_cast<char>(byte));
  }
  void append(std::string_view bytes) {
    if (machine_->collects_names) text_.append(bytes);
  }
  struct mark {
    std::size_t nodes, names, text;
  };
  mark here() const { return {nodes_.size(), names_.size(), text_.size()}; }
  void take_back(mark const& m);
  /// Makes `threads` the current ones and drops what no stack needs any more.
  void settle(thread_list threads);

  weight weigh(thread const& t) const;
  weight weigh(thread_list const& threads) const;  ///< The least.
  void spell(thread const& t, spelling& out) const;

  /// Leaving a name of which no more matters than the patterns it matches (where what follows depends on them): it
  /// stands in its object as one that equals no other. Where that could make a difference later, met_unknown_name()
  /// tells.
  void step_out_unknown(thread const& name, std::vector<bool> const* label, thread_list& to);
  bool met_unknown_name() { return std::exchange(met_unknown_name_, false); }

  /// Text so far of a name thread, and whether its caller's object already has a name.
  std::string_view name_so_far(thread const& name) const;
  bool is_taken(thread const& name, std::string_view candidate) const;
  std::vector<std::string_view> taken_names(thread const& name) const;
  /// How much more may be needed behind a name that turns out to be one of those needed; 0 where none are.
  weight name_margin(thread const& name) const;
  /// True when no token of up to `reach` bytes can bring a text thread to its byte bound.
  bool is_far_from_bytes_max(thread const& text, std::size_t reach) const;

  /// Whether a text in a language whose characters count can still end with room for the characters begun so far.
  bool fits_length(text_unit const& text, regex::automaton::state at, text_automaton::state character,
                   std::size_t characters) const;

  /// Identifies what can happen within the next `reach` bytes, and how weights change meanwhile.
  std::string key(std::size_t reach) const;
  /// Whether the rest of a text in a language leaves more than names that are taken.
  bool has_free_name(thread const& name) const;
  bool is_finite_name(thread const& name) const;

  machine& get_machine() const { return *machine_; }

 private:
  struct node {
    frame f;
    std::uint32_t parent;
    weight rest;  ///< Of the frame and all below.
  };
  struct used_name {
    std::uint32_t previous;
    std::uint32_t begin, size;
    friend bool operator==(used_name const&, used_name const&) = default;
  };

  void step_text(thread const& t, std::uint8_t byte);
  void step_state(thread const& t, std::uint8_t byte);
  void leave(thread const& t, bool unknown_name = false, std::vector<bool> const* label = nullptr);
  std::optional<std::string> free_completion(thread const& name) const;
  std::vector<std::string> taken_by(frame const& caller) const;
  weight needed_weight(frame const& f, std::string const* also_taken = nullptr) const;
  std::vector<other_member> needed_members(frame const& f, std::string const* also_taken) const;
  frame behind_name(thread const& name, std::string_view whole) const;
  void follow(thread const& t, edge const& e);
  void close(thread_list& out);
  std::uint32_t push(frame const& f, std::uint32_t parent);
  bool is_alive(state_id id, std::uint32_t depth) const;
  bool has_room(thread const& t, edge const& e) const;
  weight rest(std::uint32_t parent) const { return parent == thread::no_parent ? 0 : nodes_[parent].rest; }
  weight frame_weight(frame const& f, std::string const* also_taken = nullptr) const;
  std::size_t name_fillers(thread const& t) const;
  bool name_can_end(thread const& t, std::uint8_t byte);
  std::size_t names_taken(thread const& name) const;
  void spell_frame(frame f, spelling& out, std::string const* also_taken = nullptr) const;
  void spell_way_out(frame f, std::size_t level, spelling& out) const;
  void spell_members(frame const& f, std::vector<other_member> const& members, bool comma_first, spelling& out) const;
  std::string name_rest(thread const& name) const;
  weight name_weight(thread const& name) const;
  void spell_entry(state_id callee, std::uint32_t depth, spelling& out) const;
  void spell_text(thread const& t, spelling& out) const;
  void key_frame(frame const& f, std::size_t reach, std::string& out) const;

  machine* machine_;
  std::vector<node> nodes_;
  std::vector<used_name> names_;
  std::string text_;
  thread_list threads_;
  thread_list work_;  // scratch of step and close
  thread_list visited_;
  mutable bool met_unknown_name_ = false;
};

}  // namespace grammar
}  // namespace wherry::inline v0
