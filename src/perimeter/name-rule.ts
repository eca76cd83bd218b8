/** Names of perimeters, profiles, rules, associations, links, link references (NSP REST specification). */
export const namePattern = '^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$'
export const maxNameLength = 80
export const nameRule =
  'a name of letters, digits, `_`, `.` and `-` that begins with a letter or digit and does not end in `.` or `-`'
