import Foundation
import Synchronization

/// Writes differences as they are found, by all workers of a verification, into a file that appears when it is whole.
final class DifferenceWriter: Sendable {
  /// The file's form, by the ending of its name.
  private enum Form {
    /// What `repair` reads.
    case lines(file: String)
    /// For spreadsheets.
    case table
  }

  private struct State {
    let draft: AtomicFile.Draft
    var count = 0
    var pending = Data()
  }

  private let form: Form
  private let state: Mutex<State>

  /// Written in pieces of about this size. Arbitrary.
  private static let pieceByteCount = 1 << 20

  /// - Throws: ``AtomicFile/Failure``.
  init(_ file: AtomicFile, _ header: DifferenceFile.Header) throws {
    let isTable = file.path.lowercased().hasSuffix(".csv")
    form = isTable ? .table : .lines(file: header.file)
    var state = State(draft: try file.begin())
    state.pending = isTable ? Data(DifferenceCSV.header.utf8) : try DifferenceFile.line(header, of: nil)
    self.state = Mutex(state)
  }

  /// Adds differences, and numbers them.
  func write(_ differences: [Difference]) throws {
    try state.withLock { state in
      for var difference in differences {
        state.count += 1
        difference.number = state.count
        switch form {
        case .lines(let file): state.pending += try DifferenceFile.line(difference, of: file)
        case .table: state.pending += Data(DifferenceCSV.line(difference).utf8)
        }
      }
      guard state.pending.count > Self.pieceByteCount else { return }
      try state.draft.append(state.pending)
      state.pending = Data()
    }
  }

  /// Ends the file, which now takes its place.
  func finish() throws {
    try state.withLock { state in
      if case .lines(let file) = form {
        state.pending += try DifferenceFile.line(
          DifferenceFile.Trailer(endOf: file, differences: state.count),
          of: file
        )
      }
      try state.draft.append(state.pending)
      try state.draft.finish()
    }
  }

  /// Leaves what was there before.
  func abandon() { state.withLock { $0.draft.abandon() } }
}
