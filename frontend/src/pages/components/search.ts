import type { ComponentSummary } from '$lib/words'

/** Those that have every word of `search`, in their id, description, source or tools. */
export function matching(components: ComponentSummary[], search: string): ComponentSummary[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return components
  return components.filter((component) => {
    const text = [
      component.id,
      component.description,
      component.source ?? '',
      ...component.tools.flatMap((tool) => [tool.name, tool.description]),
    ]
      .join('\n')
      .toLowerCase()
    return words.every((word) => text.includes(word))
  })
}
