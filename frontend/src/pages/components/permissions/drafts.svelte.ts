/**
 * Policies that were changed here and are not saved yet. They outlive their page: going to look something up
 * loses nothing. Closing the window asks.
 */
import { SvelteMap } from 'svelte/reactivity'

export interface PolicyDraft {
  text: string
  /** Of the policy that it was begun from. */
  version: string
}

export const drafts = new SvelteMap<string, PolicyDraft>()

addEventListener('beforeunload', (event) => {
  if (drafts.size > 0) event.preventDefault()
})
