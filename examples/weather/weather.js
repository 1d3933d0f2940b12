// Two requests to a service that needs no key. `fetch` works because of `http = true` in
// wassette.toml, and only to the hosts that a person permits: policy.yaml asks for these two.

const SKY = {
  0: 'clear', 1: 'mostly clear', 2: 'partly cloudy', 3: 'overcast', 45: 'fog', 48: 'freezing fog',
  51: 'light drizzle', 53: 'drizzle', 55: 'heavy drizzle', 61: 'light rain', 63: 'rain',
  65: 'heavy rain', 71: 'light snow', 73: 'snow', 75: 'heavy snow', 80: 'light showers',
  81: 'showers', 82: 'heavy showers', 95: 'thunderstorm', 96: 'thunderstorm with hail',
};

async function json(url) {
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw `${new URL(url).host} cannot be asked: ${error.message ?? error}`;
  }
  if (!response.ok) throw `${new URL(url).host} answered with status ${response.status}`;
  return response.json();
}

export async function getWeather(city) {
  const name = encodeURIComponent(city);
  const found = await json(`https://geocoding-api.open-meteo.com/v1/search?count=1&name=${name}`);
  const place = found.results?.[0];
  if (!place) throw `no place is called ${city}`;
  const where = `latitude=${place.latitude}&longitude=${place.longitude}`;
  const wanted = 'current=temperature_2m,wind_speed_10m,weather_code';
  const { current } = await json(`https://api.open-meteo.com/v1/forecast?${where}&${wanted}`);
  return {
    place: [place.name, place.country].filter(Boolean).join(', '),
    temperature: current.temperature_2m,
    wind: current.wind_speed_10m,
    sky: SKY[current.weather_code] ?? `code ${current.weather_code}`,
  };
}
