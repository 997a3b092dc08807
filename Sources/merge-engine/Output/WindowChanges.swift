import Dispatch
import Foundation

/// Calls when the terminal's window gets another size, for as long as it lives.
final class WindowChanges: @unchecked Sendable {
  // Safe: resumed and cancelled only, which Dispatch allows on any thread.
  private let source = DispatchSource.makeSignalSource(signal: SIGWINCH, queue: .global())

  init(_ onChange: @escaping @Sendable () -> Void) {
    source.setEventHandler(handler: onChange)
    source.resume()
  }

  deinit {
    source.cancel()
  }
}
