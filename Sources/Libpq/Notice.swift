import CLibpq

/// A message of the server that is no error: `NOTICE`, `WARNING` and their like.
public struct Notice: Sendable {
  /// The severity, in the server's words, not translated.
  public let severity: String
  /// The message, as the server wrote it; usually one line.
  public let message: String
  /// The SQLSTATE, `00000` for most notices.
  public let sqlState: SQLState
  /// Whether the server said it, and not this side of the connection.
  public var isFromServer = true
}

/// Keeps the closure that notices go to alive behind libpq's untyped pointer.
final class NoticeReceiver {
  let receive: (Notice) -> Void

  init(_ receive: @escaping (Notice) -> Void) {
    self.receive = receive
  }

  /// Registers the receiver; it must live as long as the connection does.
  func attach(to connection: OpaquePointer) {
    _ = PQsetNoticeReceiver(
      connection,
      { context, result in
        guard let context, let result else { return }
        // Safe: the context is the receiver registered below, which the connection keeps until it has closed the line.
        let receiver = Unmanaged<NoticeReceiver>.fromOpaque(context).takeUnretainedValue()
        receiver.receive(
          Notice(
            severity: Fields.text(result, .severity) ?? "NOTICE",
            message: Fields.text(result, .message) ?? "",
            sqlState: SQLState(Fields.text(result, .sqlState) ?? "00000")
          )
        )
      },
      Unmanaged.passUnretained(self).toOpaque()
    )
  }
}
