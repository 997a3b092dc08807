import Libpq

/// A stretch of staging by its rows' keys: from one key up to but not including another.
///
/// A row's key never changes, since a changed row is another row with an id of its own. So what a horizon has seen of a stretch
/// is as fixed as what it has seen of a range of addresses, wherever the rows lie: whoever reads it later misses none and finds
/// no other. That is so in whatever order the stretches stand, if it is always the same: how near it is to the order of
/// production's index only decides what it gains.
struct KeyRange: Sendable, Hashable {
  /// How the keys of a table are put in order.
  enum Form: Sendable {
    /// As numbers: integers, or numeric, as Oracle's NUMBER becomes. Of numeric columns only rows with whole numbers that a
    /// bigint can hold lie in a stretch; all others lie in none.
    case numbers
    /// By the bytes of their text: text and uuid, alone or beside numbers. What no setting of a session changes; for uuid, and
    /// for text in collations like C or POSIX, the order of production's index.
    case texts
  }

  /// A key, with a value for each column.
  enum Key: Sendable, Hashable {
    case numbers([Int])
    case texts([String])

    /// `{1,2}`, or `{"a","b"}`, as the server reads an array.
    var arrayText: String {
      switch self {
      case .numbers(let values): "{" + values.map(String.init).joined(separator: ",") + "}"
      case .texts(let values): "{" + values.map(Self.quoted).joined(separator: ",") + "}"
      }
    }

    private static func quoted(_ value: String) -> String {
      "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
  }

  /// The key's columns in staging. A row in which one is NULL lies in no stretch.
  let columns: [String]
  /// The first key.
  let start: Key
  /// The first key that is not in it any more; nil for no bound.
  let end: Key?

  /// A condition on staging's alias `s`.
  var condition: SQL {
    let names = columns.map { "s.\(Identifier($0))" as SQL }
    let form = start.form
    let key = Self.row(names.map(form.ordered))
    let upper: SQL = end.map { " AND \(key) < \(Self.row($0.literals))" } ?? ""
    return "\(form.hasPlace(names)) AND \(key) >= \(Self.row(start.literals))\(upper)"
  }

  /// The row `s` of staging lies in the stretch of the ledger's entry `entry`, whose columns nobody knows beforehand.
  static func holds(_ entry: SQL) -> SQL {
    """
    CASE WHEN \(entry).key_text_start IS NULL THEN
      EXISTS (SELECT FROM (SELECT ARRAY(SELECT CASE WHEN \(Form.numbers.hasPlace(["v.value"])) THEN v.value::bigint END
                                        FROM unnest(\(entry).key_columns) WITH ORDINALITY AS c (name, ordinal)
                                        CROSS JOIN LATERAL (SELECT (to_jsonb(s) ->> c.name)::numeric AS value) AS v
                                        ORDER BY c.ordinal) AS key) AS k
              WHERE array_position(k.key, NULL) IS NULL AND k.key >= \(entry).key_start
                AND (\(entry).key_end IS NULL OR k.key < \(entry).key_end))
    ELSE
      EXISTS (SELECT FROM (SELECT ARRAY(SELECT to_jsonb(s) ->> c.name
                                        FROM unnest(\(entry).key_columns) WITH ORDINALITY AS c (name, ordinal)
                                        ORDER BY c.ordinal) AS key) AS k
              WHERE array_position(k.key, NULL) IS NULL AND k.key >= \(entry).key_text_start COLLATE "C"
                AND (\(entry).key_text_end IS NULL OR k.key < \(entry).key_text_end COLLATE "C"))
    END
    """
  }

  /// Both stretches as one, if one begins where the other ends.
  func joined(with other: KeyRange) -> KeyRange? {
    guard columns == other.columns else { return nil }
    if end == other.start { return KeyRange(columns: columns, start: start, end: other.end) }
    if other.end == start { return KeyRange(columns: columns, start: other.start, end: end) }
    return nil
  }

  /// Rows are compared column by column, as they are in an index.
  private static func row(_ values: [SQL]) -> SQL { values.count == 1 ? values[0] : "(\(values.joined(", ")))" }
}

extension KeyRange.Form {
  /// The types whose order is followed.
  private static let numberTypes = TypeOID.integers.union([TypeOID.numeric])
  private static let textTypes: Set = [TypeOID.text, TypeOID.varchar, TypeOID.uuid]

  /// - Parameter types: of the key's columns.
  /// - Returns: nil where there are others among them.
  init?(_ types: [UInt32]) {
    if types.allSatisfy(Self.numberTypes.contains) {
      self = .numbers
    } else if types.allSatisfy(Self.numberTypes.union(Self.textTypes).contains) {
      self = .texts
    } else {
      return nil
    }
  }

  /// What stands for a key's column where keys are put in order.
  func ordered(_ value: SQL) -> SQL {
    switch self {
    case .numbers: value
    case .texts: "\(value)::text COLLATE \"C\""
    }
  }

  /// What is read of a key's column: a number as a bigint.
  func read(_ value: SQL) -> SQL {
    switch self {
    case .numbers: "\(value)::bigint"
    case .texts: "\(value)::text"
    }
  }

  /// Whether a key of these values lies in any stretch; NULL counts as no.
  func hasPlace(_ values: [SQL]) -> SQL {
    values.map { value -> SQL in
      switch self {
      case .numbers:
        "\(value) >= \(Self.number(.min)) AND \(value) <= \(Self.number(.max)) AND mod(\(value), 1) = 0"
      case .texts: "\(value) IS NOT NULL"
      }
    }.joined(" AND ")
  }

  fileprivate static func number(_ value: Int) -> SQL { "\(Literal("\(value)"))::bigint" }
}

extension KeyRange.Key {
  fileprivate var form: KeyRange.Form {
    switch self {
    case .numbers: .numbers
    case .texts: .texts
    }
  }

  fileprivate var literals: [SQL] {
    switch self {
    case .numbers(let values): values.map(KeyRange.Form.number)
    case .texts(let values): values.map { "\(Literal($0))::text" }
    }
  }
}
