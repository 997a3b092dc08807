/// Between what numbers an option may lie, on the command line, in the file and in the library alike.
package enum MergeLimits {
  /// Arbitrary, but a batch's keys have to fit into memory.
  package static let batchRows = 1...10_000_000
  /// Arbitrary: more connections than any server's cores want.
  package static let workers = 1...64
  /// The server's own limit.
  package static let timeoutMilliseconds = 0...Int(Int32.max)
  /// Below some milliseconds no batch would ever fit.
  package static let lockMilliseconds = 10...Int(Int32.max)
  /// Arbitrary: eleven days.
  package static let seconds = 1...1_000_000
  /// Arbitrary: more than anybody reads.
  package static let samples = 0...1000
  /// Any number of rows.
  package static let rows = 1...Int(Int32.max)
  /// None is a number too.
  package static let refusedRows = 0...Int(Int32.max)
}
