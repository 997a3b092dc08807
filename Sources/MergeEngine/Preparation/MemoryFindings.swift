/// Whether production is larger than the memory that the server has for it, and what the merge does about that.
struct MemoryFindings {
  let table: TablePlan

  func all() -> [Finding] {
    let fit = table.reading.cacheFit
    guard fit.isLikelyCold else { return [] }
    return [
      .warning(
        table.name,
        "\(table.production) is likely to be cold: with its indexes it takes \(Numbers.bytes(fit.byteCount)), and the server expects "
          + "\(Numbers.bytes(fit.cacheByteCount)) of memory for all tables, so most pages must be read from disk; the merge has them "
          + "read ahead. If the server has more memory, raise effective_cache_size."
      )
    ]
  }
}
