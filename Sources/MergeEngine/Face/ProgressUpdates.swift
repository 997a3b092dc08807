/// How far an operation of a ``Merger`` has come, a few times a second, for one `for await` loop.
///
/// ```swift
/// let updates = ProgressUpdates()
/// async let report = merger.merge(progress: updates)
/// for await progress in updates { show(progress.tables) }
/// try await show(report)
/// ```
/// It ends when the operation does, however that ends. A slow consumer gets the latest state and misses earlier ones. Each
/// operation needs its own.
public struct ProgressUpdates: AsyncSequence, Sendable {
  private let stream: AsyncStream<RunProgress>
  private let continuation: AsyncStream<RunProgress>.Continuation

  /// Updates of an operation that is still to be begun.
  public init() {
    (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  func show(_ progress: RunProgress) { continuation.yield(progress) }

  func finish() { continuation.finish() }

  /// The updates from now on.
  public func makeAsyncIterator() -> AsyncStream<RunProgress>.Iterator { stream.makeAsyncIterator() }
}
