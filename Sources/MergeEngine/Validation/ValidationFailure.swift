/// A row, or a table, that DMS's own validation has found to differ between Oracle and production.
package struct ValidationFailure: Sendable, Encodable {
  /// What DMS has found.
  package enum Kind: String, Sendable, Codable, CaseIterable {
    /// Both have the row, with other values.
    case recordDiff = "record_diff"
    /// Production has a row that Oracle lacks.
    case missingSource = "missing_source"
    /// Oracle has a row that production lacks.
    case missingTarget = "missing_target"
    /// Something about the whole table.
    case tableWarning = "table_warning"
    /// Before DMS 3: any difference.
    case failed
    /// Before DMS 3: a row that changed too often to be compared.
    case suspended

    /// Takes DMS's word, `RECORD_DIFF` or `Failed`.
    init?(word: String) { self.init(rawValue: word.lowercased()) }
  }

  /// How it stands to production now.
  package enum Standing: String, Sendable, Codable {
    /// Production is as DMS saw it, or nothing shows that it is not.
    case stands
    /// Production was written since, and nobody but Oracle knows whether rightly.
    case changed
    /// What DMS missed is there, or what it objected to is gone.
    case mended
    /// DMS's text of the key can't be read.
    case unreadable
  }

  /// Production's table, with its schema where there are several pairs.
  package let table: String
  /// What DMS has found.
  package let kind: Kind
  /// The key's columns as text; nil where it can't be read, and for a whole table.
  package let key: [String: String]?
  /// The key as DMS has written it.
  package let keyText: String
  /// When DMS found it, UTC, ISO 8601.
  package let failedAt: String
  /// The last part of the task's ARN.
  package let task: String
  /// How it stands to production now.
  package let standing: Standing
  /// Why, in a few words; nil where there is nothing to say.
  package let reason: String?
  /// The columns that differ, as far as DMS says.
  package let columns: [String]

  /// Whether a reload of the row may mend it.
  package var isReloadable: Bool { key != nil && (standing == .stands || standing == .changed) }

  private enum CodingKeys: String, CodingKey {
    case table, kind, key, task, standing, reason, columns
    case keyText = "key_text"
    case failedAt = "failed_at"
  }
}
