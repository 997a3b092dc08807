/// Whether production's pages have to be read from a disk, by what the batches show.
///
/// Two things say so: that many of the pages were not in the server's buffers, and that getting them took time. What the
/// operating system has in its memory comes in some microseconds, and reading ahead would only cost (a sixth of the look-up,
/// measured on PostgreSQL 15).
struct Temperature {
  private(set) var isCold: Bool

  /// Above this share of pages that were read a table may be cold, below the other it is warm. All of these are arbitrary; they
  /// lie apart, so that no table goes to and fro. Of the four or five pages that a look-up visits only the last two can be cold.
  private static let coldShare = 0.05
  private static let warmShare = 0.02
  /// Waiting for one page after the other: no memory takes so long.
  private static let diskMicroseconds = 20.0
  /// With many pages under way at a time: no disk is so fast.
  private static let memoryMicroseconds = 8.0
  /// Fewer pages say nothing.
  private static let leastPageCount = 500

  /// Before the first batch: what the catalog makes likely.
  init(_ fit: CacheFit) {
    isCold = fit.isLikelyCold
  }

  /// A batch has visited some pages.
  ///
  /// - Parameter lookUpTime: what its look-ups took, in the way that ``isCold`` said.
  mutating func learn(_ pages: PageCounts, lookUpTime: Duration) {
    guard pages.visited >= Self.leastPageCount else { return }
    let microsecondsPerPage = lookUpTime / .microseconds(1) / Double(max(pages.read, 1))
    if isCold {
      isCold = pages.readShare >= Self.warmShare && microsecondsPerPage >= Self.memoryMicroseconds
    } else {
      isCold = pages.readShare >= Self.coldShare && microsecondsPerPage >= Self.diskMicroseconds
    }
  }
}
