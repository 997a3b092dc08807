/// Between what numbers an option may lie, on the command line and in the file alike.
enum MergeLimits {
  /// Arbitrary, but a batch's keys have to fit into memory.
  static let batchRows = 1...10_000_000
  /// Arbitrary: more connections than any server's cores want.
  static let workers = 1...64
  /// The server's own limit.
  static let timeoutMilliseconds = 0...Int(Int32.max)
  /// Below some milliseconds no batch would ever fit.
  static let lockMilliseconds = 10...Int(Int32.max)
  /// Arbitrary: eleven days.
  static let seconds = 1...1_000_000
  /// Arbitrary: more than anybody reads.
  static let samples = 0...1000
  /// Any number of rows.
  static let rows = 1...Int(Int32.max)
  /// None is a number too.
  static let refusedRows = 0...Int(Int32.max)
}
