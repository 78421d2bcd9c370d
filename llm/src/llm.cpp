// The room's first source; the rest lands with its parts.
