import Libpq

/// A stretch of staging by its rows' keys, which are integers: from one key up to but not including another.
///
/// A row's key never changes, since a changed row is another row with an id of its own. So what a horizon has seen of a stretch
/// is as fixed as what it has seen of a range of addresses, wherever the rows lie: whoever reads it later misses none and finds
/// no other.
struct KeyRange: Sendable, Hashable {
  /// The key's columns in staging.
  let columns: [String]
  /// The first key, a value for each of ``columns``.
  let start: [Int]
  /// The first key that is not in it any more; nil for no bound.
  let end: [Int]?

  /// A condition on staging's alias `s`. A row whose key holds a NULL lies in no range.
  var condition: SQL {
    let names = columns.map { "s.\(Identifier($0))" as SQL }
    let isWhole = names.map { "\($0) IS NOT NULL" as SQL }.joined(" AND ")
    guard names.count > 1 else {
      let upper: SQL = end.map { " AND \(names[0]) < \(Self.number($0[0]))" } ?? ""
      return "\(isWhole) AND \(names[0]) >= \(Self.number(start[0]))\(upper)"
    }
    // Arrays are compared element by element, as rows are in an index.
    let key: SQL = "ARRAY[\(names.map { "\($0)::bigint" as SQL }.joined(", "))]"
    let upper: SQL = end.map { " AND \(key) < \(Literal(Self.text($0)))::bigint[]" } ?? ""
    return "\(isWhole) AND \(key) >= \(Literal(Self.text(start)))::bigint[]\(upper)"
  }

  /// Both stretches as one, if one begins where the other ends.
  func joined(with other: KeyRange) -> KeyRange? {
    guard columns == other.columns else { return nil }
    if end == other.start { return KeyRange(columns: columns, start: start, end: other.end) }
    if other.end == start { return KeyRange(columns: columns, start: other.start, end: end) }
    return nil
  }

  /// `{1,2}`, as the server writes an array of numbers.
  static func text(_ key: [Int]) -> String { "{" + key.map(String.init).joined(separator: ",") + "}" }

  private static func number(_ value: Int) -> SQL { "\(Literal("\(value)"))::bigint" }
}
