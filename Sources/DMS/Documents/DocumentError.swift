/// Why a DMS document cannot be made from what was asked for.
public enum DocumentError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The text is not a time as the source's clock shows it.
  case badTime(text: String, reason: String)
  /// The text is not a length of time.
  case badDuration(text: String)
  /// The window's end is not after its start.
  case emptyWindow(from: SourceTime, to: SourceTime)
  /// There is no table to load.
  case noTables
  /// The name cannot be used in a rule.
  case badName(name: String, reason: String)
  /// Two source tables would be loaded into one target table, which DMS does not do.
  case twoTablesForOneTarget(target: String, first: String, second: String)
  /// Tables of one source schema would have to be loaded into two schemas, while DMS renames a schema as a whole.
  case schemaWithTwoTargets(schema: String, first: String, second: String)
  /// A number outside what DMS takes.
  case outOfRange(setting: String, value: Int, allowed: ClosedRange<Int>)
  /// A mapping document that AWS would not process.
  case mappingTooLarge(bytes: Int, limit: Int)
  /// Ranges of a parallel load that do not fit their columns.
  case badRanges(table: String, reason: String)

  /// What is wrong and what to give instead.
  public var description: String {
    switch self {
    case .badTime(let text, let reason):
      "\"\(text)\" is not a usable time: \(reason); write it as the source's clock shows it, 2025-01-31 18:00:00"
    case .badDuration(let text):
      "\"\(text)\" is not a length of time; write a whole number and s, m, h or d, as in 90s, 30m, 1h, 2d"
    case .emptyWindow(let from, let to):
      "the window from \(from) to \(to) is empty; --to is the first moment after the window and must be later than --from"
    case .noTables: "there is no table to load; name at least one"
    case .badName(let name, let reason): "the name \"\(name)\" cannot be used in a mapping rule: \(reason)"
    case .twoTablesForOneTarget(let target, let first, let second):
      "\(first) and \(second) would both be loaded into \(target); DMS does not load two tables into one, so give one of "
        + "them another target name or load it in a separate run"
    case .schemaWithTwoTargets(let schema, let first, let second):
      "tables of \(schema) would be loaded into \(first) and into \(second), and a mapping rule renames a schema for all of its tables; load "
        + "the two in separate runs: --pair"
    case .outOfRange(let setting, let value, let allowed):
      "\(setting) is \(value), but DMS takes \(allowed.lowerBound) to \(allowed.upperBound)"
    case .mappingTooLarge(let bytes, let limit):
      "the mapping document would have \(bytes) bytes, and DMS takes \(limit); load fewer tables at once: --table"
    case .badRanges(let table, let reason): "the ranges for the parallel load of \(table) cannot be used: \(reason)"
    }
  }
}
