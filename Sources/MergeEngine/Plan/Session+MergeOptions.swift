import Libpq
import Logging

extension Session {
  /// Sessions as the options of a merge want them.
  init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget?,
    options: MergeOptions,
    isReadOnly: Bool = false,
    logger: Logger
  ) {
    self.init(
      target: target,
      stagingTarget: stagingTarget,
      schemas: options.schemas,
      lockTimeoutMilliseconds: options.lockTimeoutMilliseconds,
      statementTimeoutMilliseconds: options.statementTimeoutMilliseconds,
      isReadOnly: isReadOnly,
      logger: logger
    )
  }
}
