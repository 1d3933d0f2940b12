/** The time, for what says "4 min. ago": one clock for the whole window, that ticks while it is seen. */
class Now {
  value = $state(Date.now())

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.value = Date.now()
    }, 10_000)
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.value = Date.now()
    })
  }
}

export const now = new Now()
