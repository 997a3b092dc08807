import CLibpq
import Synchronization

/// Cancels what a connection is doing, from any thread.
public final class CancelToken: @unchecked Sendable {
  // Safe: PQcancel only reads the object, and libpq documents that it may be called from another thread or a signal
  // handler (<https://www.postgresql.org/docs/current/libpq-cancel.html>); it is freed when nobody can call any more.
  private let handle: OpaquePointer?
  private let requested = Atomic(false)

  init(_ connection: OpaquePointer) {
    handle = PQgetCancel(connection)
  }

  deinit {
    PQfreeCancel(handle)
  }

  var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// Asks the server to end the running statement, which then fails with SQLSTATE 57014.
  ///
  /// The connection is meant to be closed soon after: from now on it is given up whenever the server stays silent for
  /// ``Connection/cancelGraceSeconds``. Blocks while the request is made, which is a connection of its own.
  ///
  /// - Returns: whether the request was sent; not whether there was a statement to end.
  @discardableResult
  public func cancel() -> Bool {
    requested.store(true, ordering: .relaxed)
    return sendRequest()
  }

  /// As ``cancel()``, but for a statement that may still be done in time: it is asked to end only when the server has been
  /// silent for ``Connection/cancelPauseSeconds``, as a commit is that waits for a standby.
  public func cancelWhenSilent() { requested.store(true, ordering: .relaxed) }

  /// The request alone, for a connection that goes on afterwards.
  func sendRequest() -> Bool {
    guard let handle else { return false }
    var message = [CChar](repeating: 0, count: 256)
    return PQcancel(handle, &message, Int32(message.count)) == 1
  }
}
