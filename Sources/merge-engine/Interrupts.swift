import Dispatch
import Foundation
import Synchronization

/// Turns SIGINT and SIGTERM into a call, for as long as it lives.
///
/// The second signal ends the process at once: whoever presses Ctrl-C twice means it.
final class Interrupts {
  private let sources: [any DispatchSourceSignal]

  /// - Parameter onSignal: called once at most, on a queue of its own.
  init(_ onSignal: @escaping @Sendable (Int32) -> Void) {
    let hasFired = Fired()
    sources = [SIGINT, SIGTERM].map { number in
      // The default action would end the process before the source is told.
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        guard hasFired.isFirst() else { _exit(128 + number) }
        onSignal(number)
      }
      source.resume()
      return source
    }
  }

  deinit {
    for source in sources { source.cancel() }
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }

  private final class Fired: Sendable {
    private let value = Atomic(false)

    func isFirst() -> Bool { !value.exchange(true, ordering: .relaxed) }
  }
}
