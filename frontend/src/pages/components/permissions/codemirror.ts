/** The editor of policies. Loaded when it is first wanted: it is larger than the rest of the window. */
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint'
import { EditorState } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'

const highlight = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.string, tags.content], color: 'var(--ink)' },
  { tag: tags.comment, color: 'var(--ink-3)', fontStyle: 'italic' },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: 'var(--ink-2)' },
])

const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--surface)', color: 'var(--ink)', fontSize: '13px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '20px', overflow: 'auto' },
  '.cm-content': { padding: '8px 0', caretColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--ink-3)', border: '0' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--hover)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--accent-soft) !important' },
  '*': { boxSizing: 'border-box' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--deny)', textUnderlineOffset: '3px' },
  '.cm-diagnostic': { fontFamily: 'var(--sans)', padding: '6px 10px', borderLeft: '3px solid var(--deny)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--ink)', border: '1px solid var(--line)', borderRadius: '6px', boxShadow: 'var(--shadow-2)' },
  '.cm-lint-marker-error': { content: '""', width: '10px', height: '4px', margin: '8px 2px', borderRadius: '1px', backgroundColor: 'var(--deny)' },
  '.cm-gutter-lint': { width: '14px' },
})

export interface Mistake {
  line: number
  column: number
  text: string
}

export interface Editor {
  set(text: string): void
  mark(mistake: Mistake | null): void
  show(line: number): void
  focus(): void
  destroy(): void
}

interface Options {
  text: string
  label: string
  onchange: (text: string) => void
  onsave: () => void
}

export function openEditor(parent: HTMLElement, options: Options): Editor {
  let quiet = false
  // In a shadow root the editor's styles are style sheets that are adopted; in the page itself they
  // would be inline, which the content security policy refuses.
  const root = parent.shadowRoot ?? parent.attachShadow({ mode: 'open' })
  const inner = document.createElement('div')
  inner.className = 'inner'
  root.replaceChildren(inner)
  inner.style.height = '100%'
  const view = new EditorView({
    parent: inner,
    root,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        yaml(),
        syntaxHighlighting(highlight),
        look,
        EditorState.tabSize.of(2),
        EditorView.contentAttributes.of({ 'aria-label': options.label, spellcheck: 'false', autocapitalize: 'off' }),
        EditorView.domEventHandlers({
          // A browser that types over several lines keeps their looks as inline styles, which the content
          // security policy refuses, loudly. So this is not left to it.
          beforeinput(event, view) {
            if (event.inputType !== 'insertText' || event.data === null || view.composing) return false
            if (view.state.selection.main.empty) return false
            event.preventDefault()
            view.dispatch(view.state.replaceSelection(event.data), { userEvent: 'input.type', scrollIntoView: true })
            return true
          },
        }),
        // Tab leaves the editor, for those who have no mouse.
        keymap.of([
          {
            key: 'Mod-s',
            preventDefault: true,
            run: () => {
              options.onsave()
              return true
            },
          },
          ...defaultKeymap,
          ...historyKeymap,
          ...lintKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !quiet) options.onchange(update.state.doc.toString())
        }),
      ],
    }),
  })

  const place = (line: number) => view.state.doc.line(Math.min(Math.max(1, line), view.state.doc.lines))

  return {
    set(text) {
      if (text === view.state.doc.toString()) return
      quiet = true
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } })
      quiet = false
    },
    mark(mistake) {
      if (!mistake) {
        view.dispatch(setDiagnostics(view.state, []))
        return
      }
      const line = place(mistake.line)
      const from = Math.min(line.from + Math.max(0, mistake.column - 1), line.to)
      // A mistake at the end of a line has nothing to underline: the line is.
      const [start, end] = from < line.to ? [from, line.to] : [line.from, line.to]
      view.dispatch(setDiagnostics(view.state, [{ from: start, to: end, severity: 'error', message: mistake.text }]))
      view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) })
    },
    show(number) {
      const line = place(number)
      view.dispatch({ selection: { anchor: line.from, head: line.to }, effects: EditorView.scrollIntoView(line.from, { y: 'center' }) })
      view.focus()
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  }
}
