/// What a reload says while it goes on.
package enum ReloadEvent: Sendable {
  /// A phase begins.
  case began(ReloadPhase)
  /// A phase is done.
  case ended(PhaseResult)
  /// DMS loads.
  case loading(LoadProgress)
  /// Something to know that stops nothing.
  case warning(String)
}
