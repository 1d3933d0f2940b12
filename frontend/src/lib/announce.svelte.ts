/** Says something to a screen reader, politely. */
class Announcer {
  text = $state('')

  say(text: string) {
    this.text = ''
    requestAnimationFrame(() => (this.text = text))
  }
}

export const announcer = new Announcer()
