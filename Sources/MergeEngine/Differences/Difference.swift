/// A row that differs, with all that is needed to find it again, to see whether it is still the row that was seen, and to
/// mend it: a line of the file that `verify --output` writes.
package struct Difference: Sendable, Codable, Hashable {
  /// Its place in the file, from 1.
  package internal(set) var number = 0
  /// The schemas, as `staging=production`.
  package let pair: String
  /// The table's plain name.
  package let table: String
  /// What is wrong.
  package let kind: DifferenceKind
  /// The key's columns as text.
  package let key: [String: String]
  /// Staging's version as text; nil for NULL, and where staging has no row.
  package let stagingVersion: String?
  /// Production's version as text; nil for NULL, and where production has no row.
  package let productionVersion: String?
  /// The columns that differ; none for rows that only one side has.
  package let columns: [Column]
  /// The staging row as it was seen; nil where there was none.
  package let stagingRow: RowIdentity?
  /// The production row as it was seen; nil where there was none.
  package let productionRow: RowIdentity?

  /// A column that differs, its values as text.
  package struct Column: Sendable, Codable, Hashable {
    /// The column's name.
    package let column: String
    /// Both values; nil where they were not to be written.
    package let values: Values?

    /// Both values, nil for NULL.
    package struct Values: Sendable, Hashable {
      /// Production's.
      package let production: String?
      /// Staging's.
      package let staging: String?
    }
  }

  /// What tells a row from whatever takes its place: any write leaves a row of another transaction.
  package struct RowIdentity: Sendable, Codable, Hashable {
    /// Where it lay.
    package let ctid: String
    /// The transaction that wrote it.
    package let xmin: String
  }

  private enum CodingKeys: String, CodingKey {
    case number, pair, table, kind, key
    case stagingVersion = "staging_version"
    case productionVersion = "production_version"
    case columns
    case stagingRow = "staging_row"
    case productionRow = "production_row"
  }
}

extension Difference.Column {
  private enum CodingKeys: String, CodingKey {
    case column, production, staging
  }

  /// Reads what ``encode(to:)`` has written: a column without values has neither key.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    column = try container.decode(String.self, forKey: .column)
    values =
      container.contains(.production)
      ? Values(
        production: try container.decode(String?.self, forKey: .production),
        staging: try container.decode(String?.self, forKey: .staging)
      ) : nil
  }

  /// The values stand beside the name, as null where they are NULL.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(column, forKey: .column)
    guard let values else { return }
    try container.encode(values.production, forKey: .production)
    try container.encode(values.staging, forKey: .staging)
  }
}
