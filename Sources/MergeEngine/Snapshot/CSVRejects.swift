import Foundation

/// The bad rows of an import, counted over all of its tables.
final class CSVRejects {
  private let limit: Int
  private(set) var rows: [SnapshotImportReport.Rejected] = []

  init(limit: Int) {
    self.limit = limit
  }

  /// Leaves a row out.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there are more than were allowed, with all of them.
  func add(_ row: SnapshotImportReport.Rejected) throws(MergeFailure) {
    rows.append(row)
    guard rows.count > limit else { return }
    var findings: [Finding] = rows.suffix(Self.shownCount).map { row in
      .blocker(row.table, "\(row.place): \(row.reason).")
    }
    let advice =
      limit == 0
      ? "One bad row keeps all others from being imported. Fix it, or leave out up to N bad rows: --max-errors N."
      : "There are more bad rows than --max-errors \(limit) allows."
    findings.append(.blocker(nil, advice))
    throw .blocked(findings)
  }

  /// Forgets what was found since there were so many: the files are read again.
  func rewind(to count: Int) { rows.removeSubrange(count...) }

  private static let shownCount = 20

  /// Puts the rows into the order of the files' names and lines.
  func arrange() {
    rows.sort { left, right in (left.table, left.file, left.line) < (right.table, right.file, right.line) }
  }

  /// Keeps the rows aside as a table for spreadsheets.
  func write(to url: URL) throws {
    guard !rows.isEmpty else { return }
    var text = "table,file,line,column,reason\r\n"
    for row in rows {
      let fields: [String] = [row.table, row.file, "\(row.line)", row.column ?? "", row.reason]
      let quoted: [String] = fields.map { field in
        let inner = field.replacing("\"", with: "\"\"")
        return "\"\(inner)\""
      }
      text += quoted.joined(separator: ",")
      text += "\r\n"
    }
    do {
      try AtomicFile(path: url.path).write(text)
    } catch {
      throw SnapshotError("writing \(url.path)", error.reason)
    }
  }
}
