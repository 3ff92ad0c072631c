# Peak RSS with the most threads, of each load under each allocator.
set terminal svg size 1100,560 dynamic background "#ffffff"
set output out
set title "peak RSS at 512 threads, MiB"
set style data histograms
set style histogram clustered gap 1.5
set style fill solid 0.9 noborder
set logscale y
set xtics rotate by -40
plot for [i = 2 : nr + 1] data using i:xticlabel(1) lc rgb colour[i - 1] \
	title columnheader(i)
