import Libpq

/// A stretch of staging by its rows' keys, which are whole numbers: from one key up to but not including another.
///
/// A row's key never changes, since a changed row is another row with an id of its own. So what a horizon has seen of a stretch
/// is as fixed as what it has seen of a range of addresses, wherever the rows lie: whoever reads it later misses none and finds
/// no other.
///
/// The columns may be integers or numeric, as Oracle's NUMBER becomes. Of numeric columns only rows with whole numbers that a
/// bigint can hold lie in a stretch: among these the client's order is the server's. All others, and rows whose key holds a
/// NULL, lie in none.
struct KeyRange: Sendable, Hashable {
  /// The key's columns in staging.
  let columns: [String]
  /// The first key, a value for each of ``columns``.
  let start: [Int]
  /// The first key that is not in it any more; nil for no bound.
  let end: [Int]?

  /// A condition on staging's alias `s`.
  var condition: SQL {
    let names = columns.map { "s.\(Identifier($0))" as SQL }
    let key = Self.row(names)
    let upper: SQL = end.map { " AND \(key) < \(Self.row($0.map(Self.number)))" } ?? ""
    return "\(Self.areWhole(names)) AND \(key) >= \(Self.row(start.map(Self.number)))\(upper)"
  }

  /// Whether all of these values are whole numbers that a bigint can hold; NULL where one is NULL.
  static func areWhole(_ values: [SQL]) -> SQL {
    values.map { value in "\(value) >= \(number(.min)) AND \(value) <= \(number(.max)) AND mod(\(value), 1) = 0" as SQL
    }
    .joined(" AND ")
  }

  /// The row `s` of staging lies in the stretch of the ledger's entry `entry`, whose columns nobody knows beforehand.
  static func holds(_ entry: SQL) -> SQL {
    """
    EXISTS (SELECT FROM (SELECT ARRAY(SELECT CASE WHEN \(areWhole(["v.value"])) THEN v.value::bigint END
                                      FROM unnest(\(entry).key_columns) WITH ORDINALITY AS c (name, ordinal)
                                      CROSS JOIN LATERAL (SELECT (to_jsonb(s) ->> c.name)::numeric AS value) AS v
                                      ORDER BY c.ordinal) AS key) AS k
            WHERE array_position(k.key, NULL) IS NULL AND k.key >= \(entry).key_start
              AND (\(entry).key_end IS NULL OR k.key < \(entry).key_end))
    """
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

  /// Rows are compared column by column, as they are in an index.
  private static func row(_ values: [SQL]) -> SQL { values.count == 1 ? values[0] : "(\(values.joined(", ")))" }
}
