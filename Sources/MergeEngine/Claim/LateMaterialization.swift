/// Decides whether staging rows are read whole at once, or only keys and versions, and whole later if they are to be
/// written.
///
/// Where most rows turn out equal, their other columns are never sent: in the usual reload that is a sixth of the
/// server's work, and on wide rows or a slow line most of the bytes.
struct LateMaterialization {
  /// Fields of each row that are sent for nothing when the row is not written.
  private let avoidableFieldCount: Int
  /// Whether rows can be read in two steps at all.
  private let isPossible: Bool
  /// Of the batches so far; nil before the first one, which is read whole.
  private var writtenShare: Double?
  private var isGivenUp = false

  /// Reading a row again costs as much more as sending so many fields: 1.6 µs on 5 columns and 2.1 µs on 60, against
  /// 0.1 µs a field.
  private static let fieldsPerRereadRow = 18.0

  /// Possible where a mark keeps everybody else from the rows in between, and where a read can't fail: a value that
  /// can't be cast makes its row an error whether the row would be written or not.
  init(_ plan: TablePlan) {
    avoidableFieldCount = plan.columns.count - plan.comparedColumnCount
    isPossible = plan.marksRows && plan.ties == nil && plan.columns.allSatisfy(\.isReadAsItIs)
  }

  /// Whether the next batch is better read in two steps.
  var isWorthwhile: Bool {
    guard isPossible, !isGivenUp, let share = writtenShare else { return false }
    return (1 - share) * Double(avoidableFieldCount) > share * Self.fieldsPerRereadRow
  }

  /// A batch has shown how many of its rows had to be written.
  mutating func learn(writtenCount: Int, rowCount: Int) {
    guard rowCount > 0 else { return }
    writtenShare = Double(writtenCount) / Double(rowCount)
  }

  /// Rows can't be found again.
  mutating func giveUp() {
    isGivenUp = true
  }
}
