/// Rows that are to be loaded by their keys, in pieces that a mapping document can hold.
///
/// AWS processes mapping documents of 2 MB at most
/// (<https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Tasks.CustomizingTasks.TableMapping.SelectionTransformation.html>)
/// and names no bound for the conditions of a filter; Oracle has to parse them all in one statement.
public struct KeyPieces: Sendable {
  /// Keys by table, each by its columns.
  public typealias Keys = [String: [[String: String]]]

  /// The pieces, in the order in which they are loaded.
  public let pieces: [Keys]

  /// The largest mapping document that AWS processes, in bytes.
  public static let documentByteLimit = 2_000_000
  /// The most keys of a piece. Arbitrary: a statement of some hundred conditions is no burden.
  public static let keyLimit = 500

  /// What a condition takes in an indented document beside its value, and somewhat more.
  private static let conditionByteCount = 160
  /// What is left to the rules themselves.
  private static let rulesByteCount = 400_000

  /// Cuts keys into pieces.
  public init(_ keys: Keys, keyLimit: Int = Self.keyLimit, byteLimit: Int = Self.documentByteLimit) {
    let room = max(byteLimit - Self.rulesByteCount, byteLimit / 2)
    var pieces: [Keys] = []
    var piece: Keys = [:]
    var (count, bytes) = (0, 0)
    for (table, rows) in keys.sorted(by: { $0.key < $1.key }) {
      for row in rows {
        let size = row.reduce(0) { $0 + Self.conditionByteCount + 2 * $1.value.utf8.count }
        if count == keyLimit || (count > 0 && bytes + size > room) {
          pieces.append(piece)
          (piece, count, bytes) = ([:], 0, 0)
        }
        piece[table, default: []].append(row)
        count += 1
        bytes += size
      }
    }
    if count > 0 { pieces.append(piece) }
    self.pieces = pieces
  }

  /// The values of each column of a table's keys, without repetitions, for its filters.
  public static func values(of columns: [String], in rows: [[String: String]]) -> [PlannedTable.KeyValues] {
    columns.map { column in
      var seen: Set<String> = []
      return .init(column: column, values: rows.compactMap { $0[column] }.filter { seen.insert($0).inserted })
    }
  }
}
